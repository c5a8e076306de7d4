import assert from 'node:assert/strict'
import { contractVersion, facetNames, requireFacet, isHolmError } from '@holm/core'
import type { PluginDefinition, PluginManifest, Provider } from '@holm/core'
import { recordPlugin, type PluginRecord } from './plugin-record.ts'

/** What is known of a plugin package: its manifest, its default export, or both. */
export interface PluginSubject {
  readonly manifest: PluginManifest
  readonly plugin?: PluginDefinition
}

/** One rule about a plugin of any kind. */
export type PluginCheck = (subject: PluginSubject) => Promise<void>

const kinds = new Set(['provider', 'mesh', 'ai', 'editor', 'feature'])
const needsPlugin = (plugin: PluginDefinition | undefined): PluginDefinition =>
  plugin ?? assert.fail('give the plugin: the default export of the package')

/** Rules of the manifest and of the default export; the same for every kind. */
export const manifestChecks: Readonly<Record<string, PluginCheck>> = {
  'the manifest is complete': async ({ manifest }) => {
    assert.ok(kinds.has(manifest.kind), `kind ${manifest.kind}`)
    assert.match(manifest.id, /^[a-z][a-z0-9-]*$/, 'id')
    assert.equal(manifest.contract, contractVersion, 'contract')
    assert.ok(manifest.entry.startsWith('./'), `entry ${manifest.entry} is relative to package.json`)
    assert.deepEqual(JSON.parse(JSON.stringify(manifest)), manifest, 'the manifest is JSON')
    for (const facet of manifest.facets ?? []) assert.ok(facetNames.includes(facet), `facet ${facet} exists`)
  },
}

/** Rules about what the default export registers, against what the manifest announces. */
export const definitionChecks: Readonly<Record<string, PluginCheck>> = {
  'the default export is a plugin of this contract': async ({ plugin }) => {
    const { name, contract, setup } = needsPlugin(plugin)
    assert.ok(name.length > 0, 'name')
    assert.equal(contract, contractVersion, 'contract')
    assert.equal(typeof setup, 'function', 'setup')
  },
  'setup registers what the manifest announces, and nothing else': async ({ plugin, manifest }) => {
    const record = await recordPlugin(needsPlugin(plugin))
    const provided = manifest.kind === 'feature' ? [] : [`${manifest.kind} ${manifest.id}`]
    assert.deepEqual(
      record.provided.map(({ kind, id }) => `${kind} ${id}`),
      provided,
      'provide',
    )
    const announced = (manifest.commands ?? []).map(({ id }) => id)
    assertSame(
      record.commands.map(({ id }) => id),
      announced,
      'commands',
    )
    assertSame(record.hooks, manifest.hooks ?? [], 'hooks')
    assertSame(record.methods, manifest.methods ?? [], 'methods')
  },
  'what it provides has the id of the manifest': async ({ plugin, manifest }) => {
    const { provided } = await recordPlugin(needsPlugin(plugin))
    for (const { factory } of provided) assert.equal(factory().id, manifest.id)
  },
  'commands of the manifest are those that are registered': async ({ plugin, manifest }) => {
    const record = await recordPlugin(needsPlugin(plugin))
    assert.deepEqual(
      withoutRun(record),
      Object.fromEntries((manifest.commands ?? []).map((each) => [each.id, each])),
    )
  },
  'setup can be repeated': async ({ plugin }) => {
    const first = await recordPlugin(needsPlugin(plugin))
    const second = await recordPlugin(needsPlugin(plugin))
    assert.equal(first.provided.length, second.provided.length)
    await first.dispose()
    await second.dispose()
  },
}

/** The same words, in any order and any number. */
function assertSame(found: readonly string[], announced: readonly string[], what: string): void {
  assert.deepEqual(new Set(found), new Set(announced), what)
}

function withoutRun({ commands }: PluginRecord): Record<string, unknown> {
  return Object.fromEntries(commands.map(({ run: _run, ...rest }) => [rest.id, rest]))
}

/** A provider object against its manifest. */
export const providerManifestChecks: Readonly<
  Record<string, (provider: Provider, manifest: PluginManifest) => void>
> = {
  'id and kind are those of the manifest': (provider, manifest) => {
    assert.equal(manifest.kind, 'provider')
    assert.equal(provider.id, manifest.id)
  },
  'facets are those of the manifest': (provider, manifest) => {
    const found = facetNames.filter((facet) => provider[facet] !== undefined)
    assertSame(found, manifest.facets ?? [], 'facets')
  },
  'traits are those of the manifest': (provider, manifest) => {
    assert.deepEqual(provider.traits, manifest.traits)
  },
  'a facet that is not there is refused with alternatives': (provider) => {
    for (const facet of facetNames.filter((each) => provider[each] === undefined)) {
      const error = catchError(() => requireFacet(provider, facet, ['other-one', 'other-two']))
      assert.ok(isHolmError(error, 'HOLM_FACET_UNSUPPORTED'), `${facet}: ${String(error)}`)
      assert.match(error.hint ?? '', /other-one, other-two/, facet)
    }
  },
}

function catchError(action: () => unknown): unknown {
  try {
    action()
    return undefined
  } catch (error) {
    return error
  }
}
