import assert from 'node:assert/strict'
import { facetNames } from '@holm/core'
import { facetSuites } from '../facet-suites/index.ts'
import { creationSuite } from '../suites/creation.ts'
import { execSuite } from '../suites/exec.ts'
import { lifecycleSuite, listNames } from '../suites/lifecycle.ts'
import { limitsSuite, networkSuite } from '../suites/limits.ts'
import { mountsSuite } from '../suites/mounts.ts'
import { ptySuite } from '../suites/pty.ts'
import { signalsSuite } from '../suites/signals.ts'
import { streamsSuite } from '../suites/streams.ts'
import type { Check, ProviderKitOptions, SkipSignal, Suite } from './kit.ts'
import { definitionChecks, manifestChecks, providerManifestChecks } from './plugin-suite.ts'

/** A check with its place: `id` is "suite: rule", the key of `skip` and the name in every report. */
export interface NamedCheck {
  readonly id: string
  readonly suite: string
  readonly title: string
  readonly run: Check
  /** Why it does not apply, from `options.skip` or because the facet is not declared. */
  readonly skipped?: string
}

const coreSuites: readonly Suite[] = [
  lifecycleSuite,
  creationSuite,
  execSuite,
  streamsSuite,
  signalsSuite,
  ptySuite,
  mountsSuite,
  limitsSuite,
  networkSuite,
]

const leftoversSuite: Suite = {
  name: 'leftovers',
  checks: {
    'only the shared environment is left': async (kit) => {
      const shared = await kit.shared()
      assert.deepEqual(await listNames(kit), [shared])
    },
  },
}

/** Everything the kit demands of this provider, in order. Throws for a `skip` that names nothing. */
export function listChecks(options: ProviderKitOptions): readonly NamedCheck[] {
  const declared = options.manifest.facets ?? []
  const suites = [
    manifestSuite(options),
    ...coreSuites,
    ...facetNames.filter((facet) => declared.includes(facet)).map((facet) => facetSuites[facet]),
    leftoversSuite,
  ]
  const checks = suites.flatMap((suite) => nameChecks(suite, options))
  assertSkips(options, checks)
  return checks
}

/** The reason, when the error is what `kit.skip` throws. */
export function skipReasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('skipReason' in error)) return undefined
  return (error as Error & SkipSignal).skipReason
}

function nameChecks(suite: Suite, options: ProviderKitOptions): NamedCheck[] {
  return Object.entries(suite.checks).map(([title, run]) => {
    const id = `${suite.name}: ${title}`
    const skipped = options.unavailable ?? options.skip?.[id] ?? options.skip?.[suite.name]
    const named = { id, suite: suite.name, title, run }
    return skipped === undefined ? named : { ...named, skipped }
  })
}

/** Manifest, default export and object against each other, as one more suite. */
function manifestSuite(options: ProviderKitOptions): Suite {
  const subject = { manifest: options.manifest, ...(options.plugin ? { plugin: options.plugin } : {}) }
  const ofPackage = { ...manifestChecks, ...(options.plugin ? definitionChecks : {}) }
  const packageChecks = Object.entries(ofPackage).map(([title, check]) => [title, () => check(subject)])
  const objectChecks = Object.entries(providerManifestChecks).map(([title, check]): [string, Check] => [
    title,
    async (kit) => check(kit.provider, options.manifest),
  ])
  return { name: 'manifest', checks: Object.fromEntries([...packageChecks, ...objectChecks]) }
}

function assertSkips({ skip = {} }: ProviderKitOptions, checks: readonly NamedCheck[]): void {
  const known = new Set(checks.flatMap(({ id, suite }) => [id, suite]))
  for (const [name, reason] of Object.entries(skip)) {
    assert.ok(known.has(name), `skip names "${name}", which is no check or suite of the kit`)
    assert.ok(reason.trim().length > 0, `skip of "${name}" needs a reason`)
  }
}
