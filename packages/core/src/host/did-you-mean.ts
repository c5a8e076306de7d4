/** Spelling distance with swaps of neighbours (optimal string alignment); stops counting nothing, inputs are short. */
export function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1]
      const candidates = [
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      ]
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (swapped) candidates.push(at(beforePrevious, column - 2) + 1)
      current.push(Math.min(...candidates))
    }
    beforePrevious = previous
    previous = current
  }
  return at(previous, right.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}

/** Letter case and separators never make a name another name: `bindMounts` is near to `bind_mounts`. */
function normalize(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.\s]/g, '')
}

/** The candidates that `word` may have meant, nearest first, at most `limit`; the beginning of a name is near to it. */
export function nearNames(word: string, candidates: readonly string[], limit = 3): string[] {
  // A pasted paragraph is no misspelt name; comparing it would only cost time.
  if (word.length > 64) return []
  const wanted = normalize(word)
  const allowed = wanted.length < 2 ? 0 : Math.max(1, Math.floor(wanted.length / 3))
  return candidates
    .map((name) => ({ name, distance: distanceTo(wanted, normalize(name)) }))
    .filter(({ distance }) => distance <= allowed)
    .sort((left, right) => left.distance - right.distance || left.name.localeCompare(right.name))
    .slice(0, limit)
    .map(({ name }) => name)
}

function distanceTo(wanted: string, name: string): number {
  if (wanted.length >= 2 && wanted !== name && name.startsWith(wanted)) return 0.5
  return editDistance(wanted, name)
}

/** `, did you mean "ports"?` or nothing: the tail of a message about an unknown name. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const [nearest] = nearNames(word, candidates, 1)
  return nearest === undefined ? '' : `, did you mean "${nearest}"?`
}

/** "Did you mean x?" for a hint, or what else the caller says. */
export function suggestHint(word: string, candidates: Iterable<string>, otherwise: string): string {
  const [nearest] = nearNames(word, [...candidates], 1)
  return nearest === undefined ? otherwise : `Did you mean ${nearest}?`
}
