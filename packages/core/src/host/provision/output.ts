import { HolmError } from '../../errors.ts'
import type { InsideResult, OnOutput, Reporter } from './inside.ts'

/** How many lines of a failed command are shown. */
const tailLines = 20

export interface LineStream {
  readonly push: OnOutput
  /** Passes on what was printed without a line feed at the end. */
  flush(): void
  /** The last lines of both streams as they came. */
  tail(): string
}

/** Turns chunks of any size into whole lines for the reporter, per stream. */
export function createLineStream(reporter: Pick<Reporter, 'output'>): LineStream {
  const rest = { stdout: '', stderr: '' }
  const recent: string[] = []
  const pass: OnOutput = (stream, line) => {
    recent.push(line)
    if (recent.length > tailLines) recent.shift()
    reporter.output(stream, line)
  }
  return {
    push(stream, text) {
      const lines = (rest[stream] + text).split('\n')
      rest[stream] = lines.pop() ?? ''
      for (const line of lines) pass(stream, line.replace(/\r$/, ''))
    },
    flush() {
      for (const stream of ['stdout', 'stderr'] as const) {
        if (rest[stream] !== '') pass(stream, rest[stream])
        rest[stream] = ''
      }
    },
    tail: () => recent.join('\n').trimEnd(),
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

interface Said {
  /** What the command printed last; absent: taken from the result. */
  readonly tail?: string
  readonly hint?: string
}

/** HOLM_COMMAND_FAILED for a command that ended with a non-zero code. `what` names it, for example "setup". */
export function commandFailed(what: string, result: InsideResult, { tail = '', hint }: Said = {}): HolmError {
  const output = tail === '' ? lastLines(result) : tail
  const said = output === '' ? '' : `\n${output}`
  return new HolmError('HOLM_COMMAND_FAILED', `${what} ended with code ${result.code}${said}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { command: what, code: result.code, output },
  })
}
