import { copyFile, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import type { HostApi } from '../../host-api.ts'
import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import {
  assertProviderOptions,
  listBuiltins,
  slugify,
  toSpec,
  type LoadedBlueprint,
} from '../blueprint/index.ts'
import type { HostContext } from '../context.ts'
import { loadResolved } from '../environment/plan.ts'
import { resolveFolder } from '../real-folder.ts'

export function createBlueprintsApi(host: HostContext): HostApi['blueprints'] {
  const load = async (reference: string | undefined, cwd = '.'): Promise<LoadedBlueprint> =>
    loadResolved(host, reference, resolveFolder(resolve(host.cwd, cwd), 'HOLM_BLUEPRINT_NOT_FOUND'))
  return {
    list: () => listBuiltins(),
    async show(reference, { cwd } = {}) {
      const loaded = await load(reference, cwd)
      return { blueprint: loaded.blueprint, spec: specOf(host, loaded).spec }
    },
    async validate(reference, { cwd } = {}) {
      const loaded = await load(reference, cwd)
      const { spec, warnings } = specOf(host, loaded)
      await assertSections(host, spec)
      return { source: loaded.source, warnings }
    },
    init: (options) => initBlueprint(options),
  }
}

/** The translation without a provider: the base stands as it was written, where it is a name. */
function specOf(
  host: HostContext,
  loaded: LoadedBlueprint,
): { spec: EnvironmentSpec; warnings: readonly string[] } {
  const reference = typeof loaded.base === 'string' ? loaded.base : undefined
  const base =
    reference === 'host' || reference === undefined
      ? ({ kind: 'host' } as const)
      : ({ kind: 'image', reference } as const)
  return toSpec(loaded, { base, env: host.env })
}

/** Every section of a provider, by that provider's own schema; of one that does not run on this system, only that there is such a provider. */
async function assertSections(host: HostContext, spec: EnvironmentSpec): Promise<void> {
  const installed = host.registry.ids('provider')
  for (const id of Object.keys(spec.options)) {
    const provider = installed.includes(id) ? await providerHere(host, id) : undefined
    await assertProviderOptions(spec, provider?.id ?? '', provider?.optionsSchema, installed)
  }
}

async function providerHere(host: HostContext, id: string): Promise<Provider | undefined> {
  try {
    return await host.provider(id)
  } catch (error) {
    if (isHolmError(error, 'HOLM_PLUGIN_PLATFORM')) return undefined
    throw error
  }
}

async function initBlueprint({
  cwd: wanted,
  template,
  force = false,
}: Parameters<HostApi['blueprints']['init']>[0]): ReturnType<HostApi['blueprints']['init']> {
  const cwd = resolveFolder(wanted, 'HOLM_CONFIG_UNREADABLE')
  const { detectTemplate, renderTemplate } = await import('../blueprint/index.ts')
  const chosen = template === undefined ? await detectTemplate(cwd) : { template, reason: 'asked for' }
  const path = join(cwd, 'holm.yaml')
  const text = renderTemplate(chosen.template, { name: slugify(basename(cwd)) })
  try {
    if (force) await copyFile(path, `${path}.bak`).catch(ignoreMissing)
    await writeFile(path, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(path, error)
    throw new HolmError('HOLM_USAGE', `${path} is there already`, {
      hint: 'Overwrite it with --force.',
      details: { path },
    })
  }
  return { path, ...chosen }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

function unwritable(path: string, cause: unknown): HolmError {
  const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
  return new HolmError(
    full ? 'HOLM_DISK_FULL' : 'HOLM_CONFIG_UNREADABLE',
    `${path} cannot be written: ${(cause as Error).message}`,
    {
      hint: full ? 'Free some space and try again.' : 'Make its folder writable first.',
      cause,
      details: { path },
    },
  )
}
