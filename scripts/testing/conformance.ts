/** What a run of the tests showed of each provider: the source of docs/reference/conformance.md. */

export interface ConformanceTest {
  /** Path of the test file, relative to the repository's root. */
  readonly file: string
  /** Names of the surrounding describes, then of the test. */
  readonly path: readonly string[]
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending'
}

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** `live`: the real runtime. `scripted`: a stand-in that answers as the recorded tool does. */
export type Tier = 'live' | 'scripted'

/** Provider to tier to suite of the kit (a facet, or a part of the core) to what came out. */
export type Conformance = Readonly<Record<string, Partial<Record<Tier, Readonly<Record<string, Counts>>>>>>

const conformanceFile = /^packages\/provider-([a-z]+)\/test\/conformance\.[^/]*test\.ts$/

/** A suite of the kit is the second name of a test's path; a label or file that says "stand-in" is the scripted tier. */
export function collectConformance(tests: readonly ConformanceTest[]): Conformance {
  const found: Record<string, Partial<Record<Tier, Record<string, Counts>>>> = {}
  for (const { file, path, state } of tests) {
    const provider = conformanceFile.exec(file)?.[1]
    const [label = '', suite, title] = path
    if (provider === undefined || suite === undefined || title === undefined) continue
    const tier: Tier = /stand-in/.test(`${file} ${label}`) ? 'scripted' : 'live'
    const suites = ((found[provider] ??= {})[tier] ??= {})
    const before = suites[suite] ?? { passed: 0, failed: 0, skipped: 0 }
    const key = state === 'pending' ? 'failed' : state
    suites[suite] = { ...before, [key]: before[key] + 1 }
  }
  return found
}

export type Verdict = 'passed' | 'failed' | 'skipped'

export function verdictOf({ passed, failed }: Counts): Verdict {
  if (failed > 0) return 'failed'
  return passed > 0 ? 'passed' : 'skipped'
}

/** How a run contradicts what the docs say, one line each. What could not run on this machine contradicts nothing. */
export function compareConformance(documented: Conformance, run: Conformance): string[] {
  return Object.entries(run).flatMap(([provider, tiers]) =>
    (Object.entries(tiers) as [Tier, Readonly<Record<string, Counts>>][]).flatMap(([tier, suites]) => {
      const known = documented[provider]?.[tier] ?? {}
      return Object.keys(suites).flatMap((suite) => {
        const [says, is] = [describe(known[suite]), describe(suites[suite])]
        return says === is || is === 'skipped'
          ? []
          : [`${provider}, ${tier}, ${suite}: the docs say ${says}, this run ${is}`]
      })
    }),
  )
}

function describe(counts: Counts | undefined): Verdict | 'nothing' {
  return counts === undefined ? 'nothing' : verdictOf(counts)
}
