import { HolmError, exitCodeOf } from '@holm/core'

/** Signals of the operating system that holm handles. */
export const handledSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
const handled = [...handledSignals, 'SIGPIPE'] as const
const patienceMs = 2000
/** Longer than any clean-up may take, milliseconds: after an escaped error nothing is sure to come to its end. */
const escapeDeadlineMs = 20_000

export interface Interrupts {
  /** Fires at the first signal, with HOLM_INTERRUPTED as the reason. */
  readonly signal: AbortSignal
  /** Sends signals to the handler instead; the result gives them back. */
  take(handler: (signal: NodeJS.Signals) => void): () => void
  /** What a plugin, or holm itself, threw where nobody could catch it; it fires the signal like an interrupt. */
  escaped(): HolmError | undefined
  close(): void
}

export interface InterruptOptions {
  /** Emits signals by their names. SIGPIPE is not the operating system's: it tells of a stream's EPIPE. */
  readonly source: NodeJS.EventEmitter
  readonly say: (text: string) => void
  /** Ends this process now. */
  readonly exit: (code: number) => void
  readonly now?: () => number
}

/**
 * Ctrl-C once aborts and cleans up; a second one within two seconds, or SIGTERM twice, ends holm at once.
 * SIGPIPE stands for "nobody reads the output any more" and ends it without a word.
 */
export function createInterrupts({ source, say, exit, now = Date.now }: InterruptOptions): Interrupts {
  const controller = new AbortController()
  let since = -Infinity
  let taken: ((signal: NodeJS.Signals) => void) | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    if (taken) return taken(signal)
    if (signal === 'SIGPIPE') return exit(141)
    if (now() - since < patienceMs) return exit(130)
    since = now()
    const again = signal === 'SIGINT' ? ' (Ctrl-C again within 2 s: stop at once)' : ''
    say(
      controller.signal.aborted
        ? `still cleaning up${again}`
        : `interrupted: stopping and cleaning up${again}`,
    )
    controller.abort(new HolmError('HOLM_INTERRUPTED', `interrupted by ${signal}`))
  }
  let escaped: HolmError | undefined
  let deadline: NodeJS.Timeout | undefined
  const onEscaped = (error: HolmError): void => {
    if (escaped) return
    escaped = error
    say('something failed: stopping and cleaning up')
    controller.abort(error)
    deadline = setTimeout(() => {
      say(`not cleaned up within ${escapeDeadlineMs / 1000} s: ${error.message}`)
      exit(exitCodeOf(error))
    }, escapeDeadlineMs)
  }
  for (const signal of handled) source.on(signal, onSignal)
  source.on('escaped', onEscaped)
  return {
    escaped: () => escaped,
    signal: controller.signal,
    take(handler) {
      taken = handler
      return () => {
        taken = undefined
      }
    },
    close() {
      for (const signal of handled) source.off(signal, onSignal)
      source.off('escaped', onEscaped)
      clearTimeout(deadline)
    },
  }
}
