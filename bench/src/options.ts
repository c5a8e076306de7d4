import { parseArgs } from 'node:util'
import { suites, type Suite } from './suites/index.ts'

export interface BenchOptions {
  readonly suites: readonly Suite[]
  readonly runs: number
  readonly warmups: number
  /** Keep the results under bench/results. */
  readonly save: boolean
}

/** `[suite…] [--runs N] [--warmups N] [--no-save]`; an error says what is wrong. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const { positionals, values } = parseArgs({
    // pnpm passes the separator on.
    args: argv.filter((word) => word !== '--'),
    allowPositionals: true,
    allowNegative: true,
    options: {
      runs: { type: 'string', default: '15' },
      warmups: { type: 'string', default: '2' },
      save: { type: 'boolean', default: true },
    },
  })
  const chosen = positionals.length === 0 ? suites : positionals.flatMap((name) => findSuites(name))
  return {
    suites: chosen,
    runs: parseCount('runs', values.runs, 1),
    warmups: parseCount('warmups', values.warmups, 0),
    save: values.save,
  }
}

/** Words that name several suites: all that begin so. */
const groups: ReadonlySet<string> = new Set(['workspaces'])

function findSuites(name: string): readonly Suite[] {
  const isMember = (each: Suite): boolean => groups.has(name) && each.name.startsWith(`${name}-`)
  const found = suites.filter((each) => each.name === name || isMember(each))
  if (found.length > 0) return found
  throw new Error(`no suite ${name}; there are ${suites.map((each) => each.name).join(', ')}`)
}

function parseCount(name: string, text: string, least: number): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= least) return count
  throw new Error(`--${name} ${text} is not a whole number of at least ${least}`)
}
