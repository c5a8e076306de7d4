import type { Exit, Process, TerminalSize } from '@holm/core'
import type { Streams } from '../streams.ts'

export interface AttachOptions {
  readonly streams: Streams
  /** The process has a pty: raw mode, and its size follows the terminal's. */
  readonly pty: boolean
  readonly takeSignals: (handler: (signal: NodeJS.Signals) => void) => () => void
}

/**
 * Joins the process to this terminal or these pipes until it has ended and its output is written. Bytes pass unchanged,
 * a slow reader slows the process down, the end of stdin ends its stdin. The terminal is restored whatever happens.
 */
export async function attachProcess(process: Process, options: AttachOptions): Promise<Exit> {
  const { streams, pty, takeSignals } = options
  const giveBack = takeSignals((signal) => forwardSignal(process, signal))
  const restore = pty ? enterRawMode(process, streams) : (): void => {}
  const detachInput = pipeInput(process, streams)
  try {
    const outputs = [copyOutput(process.stdout, streams.stdout), copyOutput(process.stderr, streams.stderr)]
    const [exit] = await Promise.all([process.exited, ...outputs])
    return exit
  } finally {
    detachInput()
    restore()
    giveBack()
  }
}

const reactionMs = 1000

/** A closed pipe ends the program the way a pipe would; one that ignores SIGPIPE would write into the void for ever. */
function forwardSignal(process: Process, signal: NodeJS.Signals): void {
  // A lost connection is reported by `exited`; nothing else can be done about it here.
  const send = (name: NodeJS.Signals): void => void process.kill(name).catch(() => {})
  send(signal)
  if (signal !== 'SIGPIPE') return
  process.stdout.resume()
  process.stderr.resume()
  setTimeout(() => send('SIGTERM'), reactionMs).unref()
}

function pipeInput({ stdin: target }: Process, { stdin: source }: Streams): () => void {
  if (!target) return () => {}
  const detach = (): void => {
    source.unpipe(target)
    source.pause()
  }
  // The program may close its input before ours ends; that is its right.
  target.on('error', detach)
  target.on('close', detach)
  source.pipe(target)
  return detach
}

/** Resolves when the source has ended and everything of it is handed over; a closed target lets the source run dry. */
function copyOutput(source: Process['stdout'], target: Streams['stdout']): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  source.on('data', (chunk: Uint8Array) => {
    if (target.destroyed || target.write(chunk)) return
    source.pause()
    const go = (): void => {
      for (const event of ['drain', 'close', 'error'] as const) target.off(event, go)
      source.resume()
    }
    for (const event of ['drain', 'close', 'error'] as const) target.on(event, go)
  })
  source.once('end', resolve)
  source.once('close', resolve)
  source.once('error', reject)
  return promise
}

function enterRawMode(process: Process, { stdin, stdout }: Streams): () => void {
  const resize = (): void => {
    // The size of a program that has just ended does not matter.
    void process.resize(readSize(stdout)).catch(() => {})
  }
  stdin.setRawMode?.(true)
  stdout.on('resize', resize)
  resize()
  const leave = (): void => {
    stdout.off('resize', resize)
    stdin.setRawMode?.(false)
  }
  return leave
}

/** Size of the terminal; 80 by 24 where it tells none. */
export function readSize({ columns, rows }: Streams['stdout']): TerminalSize {
  return { cols: columns || 80, rows: rows || 24 }
}
