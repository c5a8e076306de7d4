export interface Skip {
  readonly file: string
  readonly name: string
  readonly reason: string
}

/** A test that failed and passed when it was run once more: something in it, or in holm, is left to chance. */
export interface Unsteady {
  readonly file: string
  readonly name: string
  /** Why it failed the first time, one line. */
  readonly error: string
}

export interface Totals {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly Skip[]
  /** Counted as passed, too. */
  readonly unsteady: readonly Unsteady[]
}

/** One line for all tests of a file that were skipped for the same reason, so that the list stays readable. */
export function describeSkips(skipped: readonly Skip[]): string[] {
  const groups = Map.groupBy(skipped, ({ file, reason }) => `${file}: ${reason}`)
  return [...groups].map(([title, skips]) => {
    const names = skips.slice(0, 3).map(({ name }) => name)
    const more = skips.length > names.length ? `, and ${skips.length - names.length} more` : ''
    return `skipped ${skips.length} in ${title} (${names.join('; ')}${more})`
  })
}

/** The first lines of an error in one: what a command said stands below its first. */
export function inOneLine(message: string): string {
  const lines = message.split('\n').map((line) => line.trim())
  return lines
    .filter((line) => line !== '')
    .slice(0, 12)
    .join(' | ')
    .slice(0, 900)
}

export function describeUnsteady(unsteady: readonly Unsteady[]): string[] {
  return unsteady.map(({ file, name, error }) => `passed only when run again: ${file} (${name}): ${error}`)
}

/** The last line of `npm test`. A run without tests has not shown anything, so it is no success. */
export function concludeRun(totals: Totals, failedChecks: number): { line: string; exitCode: number } {
  const failed = totals.failed + failedChecks
  const line = `${totals.passed} passed, ${failed} failed, ${totals.skipped.length} skipped`
  return { line, exitCode: failed > 0 || totals.passed === 0 ? 1 : 0 }
}
