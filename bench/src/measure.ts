import type { Budget } from './budget.ts'

/** One of the things that are compared. Only `run` is timed; `round` counts from 0, warm-ups included. */
export interface Contender {
  readonly name: string
  readonly before?: (round: number) => Promise<unknown>
  readonly run: (round: number) => Promise<unknown>
  readonly after?: (round: number) => Promise<unknown>
}

/** Things that do the same, and what holm's may cost. */
export interface Case {
  readonly id: string
  readonly title: string
  readonly contenders: readonly Contender[]
  readonly budgets: readonly Budget[]
}

export interface MeasureOptions {
  readonly warmups: number
  readonly runs: number
  readonly signal: AbortSignal
  readonly onRound?: (round: number) => void
}

/** Milliseconds per counted run. */
export type Samples = ReadonlyMap<string, readonly number[]>

/** Rounds of A B C, A B C …: whatever else the machine does at a time meets all of them alike. */
export async function measure({ contenders }: Case, options: MeasureOptions): Promise<Samples> {
  const samples = new Map(contenders.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < options.warmups + options.runs; round++) {
    options.onRound?.(round)
    for (const contender of contenders) {
      options.signal.throwIfAborted()
      const elapsed = await timeOne(contender, round)
      if (round >= options.warmups) samples.get(contender.name)?.push(elapsed)
    }
  }
  return samples
}

async function timeOne({ before, run, after }: Contender, round: number): Promise<number> {
  await before?.(round)
  const since = performance.now()
  await run(round)
  const elapsed = performance.now() - since
  await after?.(round)
  return elapsed
}
