/** The known word that was probably meant, or undefined: at most two edits away, and never more than a third of the word. */
export function suggestWord(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.min(2, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const distance = measureDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance >= bestDistance) continue
    best = candidate
    bestDistance = distance
  }
  return best
}

/** "Did you mean x?", or what else the caller says. */
export function suggestHint(word: string, known: Iterable<string>, otherwise: string): string {
  const found = suggestWord(word, known)
  return found === undefined ? otherwise : `Did you mean ${found}?`
}

/** Levenshtein distance. */
function measureDistance(left: string, right: string): number {
  let last = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const replaced = (last[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, replaced))
    }
    last = current
  }
  return last[right.length] ?? 0
}
