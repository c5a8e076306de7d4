import { HolmError } from '../../errors.ts'

/** One place in a text; both count from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface SyntaxProblem {
  readonly source: string
  readonly text: string
  readonly reason: string
  readonly position?: Position | undefined
  readonly cause?: unknown
}

/** Offset in characters to line and column. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, Math.max(0, offset))
  const line = before.split('\n').length
  return { line, column: before.length - before.lastIndexOf('\n') }
}

/** HOLM_BLUEPRINT_SYNTAX with `file:line:column` and the line itself under it. */
export function syntaxError(problem: SyntaxProblem): HolmError {
  const { source, text, reason, position, cause } = problem
  const where = position === undefined ? source : `${source}:${position.line}:${position.column}`
  return new HolmError('HOLM_BLUEPRINT_SYNTAX', `${where}: ${reason}${quoteLine(text, position)}`, {
    hint: position === undefined ? `Correct ${source}.` : `Correct line ${position.line} of ${source}.`,
    ...(cause === undefined ? {} : { cause }),
    details: { source, ...position, reason },
  })
}

const longestQuote = 120

function quoteLine(text: string, position: Position | undefined): string {
  if (position === undefined) return ''
  const line = text.split('\n')[position.line - 1]?.replace(/\r$/, '') ?? ''
  const start = Math.max(0, position.column - longestQuote)
  // Control characters of a broken file must not reach a terminal.
  const shown = Array.from(line.slice(start, start + longestQuote), (char) =>
    char < ' ' || char === '\u007F' ? ' ' : char,
  ).join('')
  return `\n  ${shown}\n  ${' '.repeat(position.column - 1 - start)}^`
}
