import { HolmError, abortError } from '@holm/core'
import type { Terminal } from '@holm/core'
import type { Streams } from './streams.ts'

export interface TerminalOptions {
  readonly streams: Streams
  readonly json: boolean
  readonly verbose: boolean
  readonly signal: AbortSignal
  /** Clears progress before a question. */
  readonly pause: () => void
}

/** Questions go to stderr: stdout is for the result. */
export function createTerminal({ streams, json, verbose, signal, pause }: TerminalOptions): Terminal {
  const isInteractive = (): boolean => !json && streams.stdout.isTTY === true && streams.stdin.isTTY === true
  const ask = (question: string): Promise<string> => {
    pause()
    return askLine(streams, question, signal)
  }
  return {
    get interactive() {
      return isInteractive()
    },
    json,
    verbose,
    async confirm(question) {
      if (!isInteractive()) {
        throw new HolmError('HOLM_CONFIRMATION_REQUIRED', `${question} nobody can be asked here`, {
          hint: 'Pass --yes to go ahead without a question.',
        })
      }
      const answer = await ask(`${question} [y/N] `)
      return /^y(es)?$/i.test(answer.trim())
    },
    async choose(question, choices, otherwise) {
      if (!isInteractive()) throw otherwise
      const list = choices.map((choice, index) => `  ${index + 1}  ${choice}`).join('\n')
      const answer = (await ask(`${question}\n${list}\nNumber: `)).trim()
      const chosen = choices[Number(answer) - 1] ?? choices.find((choice) => choice === answer)
      if (chosen === undefined) throw otherwise
      return chosen
    },
  }
}

async function askLine({ stdin, stderr }: Streams, question: string, signal: AbortSignal): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const prompt = createInterface({ input: stdin, output: stderr })
  const unanswered = Promise.withResolvers<string>()
  // Ctrl-C arrives here in raw mode, and Ctrl-D closes: neither is a yes, and neither ends the line of the question.
  prompt.once('SIGINT', () => {
    unanswered.reject(new HolmError('HOLM_INTERRUPTED', 'interrupted at a question'))
    prompt.close()
  })
  prompt.once('close', () => {
    stderr.write('\n')
    unanswered.resolve('')
  })
  try {
    const answer = await Promise.race([prompt.question(question, { signal }), unanswered.promise])
    prompt.removeAllListeners('close')
    return answer
  } catch (error) {
    if (signal.aborted) throw abortError(signal)
    throw error
  } finally {
    prompt.close()
  }
}
