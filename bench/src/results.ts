import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../scripts/root.ts'
import { judge, type Verdict } from './budget.ts'
import type { Machine } from './machine.ts'
import type { Case, Samples } from './measure.ts'
import { summarise, type Summary } from './statistics.ts'

/** What one run of the benchmark is kept as; bench/results/README.md explains it. */
export interface BenchResults {
  readonly form: 1
  readonly date: string
  readonly commit: string
  /** The sources differed from the commit. */
  readonly modified: boolean
  readonly runs: number
  readonly warmups: number
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
  readonly image: string
  readonly cases: readonly CaseResult[]
  readonly notRun: readonly { readonly suite: string; readonly reason: string }[]
}

export interface CaseResult {
  readonly id: string
  readonly title: string
  /** Load average over the last minute when the case began. */
  readonly load: number
  readonly contenders: readonly ContenderResult[]
  readonly verdicts: readonly Verdict[]
}

type ContenderResult = Summary & { readonly name: string; readonly samplesMs: readonly number[] }

export const resultsFolder: string = join(root, 'bench', 'results')

export function createCaseResult({ id, title, budgets }: Case, samples: Samples, load: number): CaseResult {
  const contenders = [...samples].map(([name, samplesMs]) => ({
    name,
    ...summarise(samplesMs),
    samplesMs,
  }))
  const medians = new Map(contenders.map(({ name, medianMs }) => [name, medianMs]))
  return { id, title, load, contenders, verdicts: judge(budgets, medians) }
}

/** Writes `<date>-<commit>.json` and the same as `latest.json`; returns the first one's name. */
export function saveResults(results: BenchResults, folder: string = resultsFolder): string {
  const name = `${results.date.slice(0, 10)}-${results.commit}.json`
  const text = `${stringifyResults(results)}\n`
  mkdirSync(folder, { recursive: true })
  for (const file of [name, 'latest.json']) writeFileSync(join(folder, file), text)
  return name
}

/** Readable JSON, numbers rounded to microseconds and lists of them on one line, as the formatter leaves them. */
export function stringifyResults(results: BenchResults): string {
  const rounded = JSON.stringify(
    results,
    (_, value: unknown) => (typeof value === 'number' ? Math.round(value * 1000) / 1000 : value),
    2,
  )
  return rounded.replaceAll(/\[\s+(-?[\d.]+(?:,\s+-?[\d.]+)*)\s+\]/g, (_, list: string) => {
    return `[${list.replaceAll(/,\s+/g, ', ')}]`
  })
}
