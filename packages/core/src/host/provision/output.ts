import { HolmError } from '../../errors.ts'
import type { InsideResult, OnOutput, Reporter } from './inside.ts'

/** How many lines of a failed command are shown. */
const tailLines = 20

export interface LineStream {
  readonly push: OnOutput
  /** Passes on what was printed without a line feed at the end. */
  flush(): void
}

/** Turns chunks of any size into whole lines for the reporter, per stream. */
export function createLineStream(reporter: Pick<Reporter, 'output'>): LineStream {
  const rest = { stdout: '', stderr: '' }
  return {
    push(stream, text) {
      const lines = (rest[stream] + text).split('\n')
      rest[stream] = lines.pop() ?? ''
      for (const line of lines) reporter.output(stream, line.replace(/\r$/, ''))
    },
    flush() {
      for (const stream of ['stdout', 'stderr'] as const) {
        if (rest[stream] !== '') reporter.output(stream, rest[stream])
        rest[stream] = ''
      }
    },
  }
}

/** The last lines that hold something, of standard error when it has any, else of standard output. */
export function lastLines(
  result: Pick<InsideResult, 'stdout' | 'stderr'>,
  count: number = tailLines,
): string {
  const text = result.stderr.trim() === '' ? result.stdout : result.stderr
  return text.trimEnd().replace(/^\n+/, '').split('\n').slice(-count).join('\n')
}

/** HOLM_COMMAND_FAILED for a command that ended with a non-zero code. `what` names it, for example "setup". */
export function commandFailed(what: string, result: InsideResult, hint?: string): HolmError {
  const tail = lastLines(result)
  const said = tail === '' ? '' : `\n${tail}`
  return new HolmError('HOLM_COMMAND_FAILED', `${what} ended with code ${result.code}${said}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { command: what, code: result.code, output: tail },
  })
}
