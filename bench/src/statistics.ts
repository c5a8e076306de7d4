/** What is told of one contender's samples. All times in milliseconds. */
export interface Summary {
  readonly count: number
  readonly medianMs: number
  readonly p95Ms: number
  readonly minMs: number
  readonly maxMs: number
}

/** Samples in any order, at least one. */
export function summarise(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    count: sorted.length,
    medianMs: percentileOf(sorted, 50),
    p95Ms: percentileOf(sorted, 95),
    minMs: percentileOf(sorted, 0),
    maxMs: percentileOf(sorted, 100),
  }
}

/** Of ascending values, linear between the two nearest ranks; NaN of none. */
export function percentileOf(sorted: readonly number[], percent: number): number {
  const rank = ((sorted.length - 1) * percent) / 100
  const below = sorted[Math.floor(rank)] ?? Number.NaN
  const above = sorted[Math.ceil(rank)] ?? Number.NaN
  return below + (above - below) * (rank - Math.floor(rank))
}
