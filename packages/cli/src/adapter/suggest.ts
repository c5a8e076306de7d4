/** The candidates a typing mistake may have meant, best first, at most three. */
export function suggestWords(word: string, candidates: readonly string[]): string[] {
  const limit = Math.max(1, Math.floor(word.length / 3))
  return candidates
    .map((candidate) => ({ candidate, distance: scoreCandidate(word, candidate) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}

/** "Did you mean a or b?", each after the prefix, or undefined when nothing is near. */
export function askDidYouMean(word: string, candidates: readonly string[], prefix = ''): string | undefined {
  const near = suggestWords(word, candidates).map((candidate) => prefix + candidate)
  return near.length === 0 ? undefined : `Did you mean ${near.join(' or ')}?`
}

function scoreCandidate(word: string, candidate: string): number {
  if (word.length >= 2 && candidate.startsWith(word)) return 0.5
  return measureDistance(word.toLowerCase(), candidate.toLowerCase())
}

/** Edit distance in which swapping two neighbours counts as one (optimal string alignment). */
export function measureDistance(a: string, b: string): number {
  let before: readonly number[] = []
  let above: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const next = nextRow({ a, b, row, before, above })
    before = above
    above = next
  }
  return above[b.length] ?? 0
}

interface DistanceRow {
  readonly a: string
  readonly b: string
  readonly row: number
  readonly before: readonly number[]
  readonly above: readonly number[]
}

function nextRow({ a, b, row, before, above }: DistanceRow): number[] {
  const next = [row]
  const at = (cells: readonly number[], column: number): number => cells[column] ?? Infinity
  for (let column = 1; column <= b.length; column++) {
    const replaced = at(above, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1)
    const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
    const swapped = isSwap ? at(before, column - 2) + 1 : Infinity
    next.push(Math.min(at(above, column) + 1, at(next, column - 1) + 1, replaced, swapped))
  }
  return next
}
