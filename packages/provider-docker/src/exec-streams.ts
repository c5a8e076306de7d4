import { PassThrough, Writable } from 'node:stream'
import type { Duplex, Readable } from 'node:stream'
import { demuxed } from './demux.ts'
import { startFailurePrefixes } from './exec-missing.ts'

export interface ExecStreams {
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when the engine has sent everything; rejects when the connection broke. The streams are still open then. */
  readonly ended: Promise<void>
  /** Output kept back because it may be the engine's own words for a program that could not be started. */
  held(): string | undefined
  /** Ends the streams; `replacement` goes to stderr instead of what was held. */
  finish(replacement?: string): Promise<void>
  /** Closes the streams without an end: the connection is lost. */
  cut(): void
}

/** Splits the engine's connection. Nothing is read faster than both outputs are consumed. */
export function execStreams(
  socket: Duplex,
  options: { readonly raw: boolean; readonly stdin: boolean },
): ExecStreams {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const hold = createHold()
  const ended = pump()
  // Reported through `exited`; nobody need listen here.
  ended.catch(() => {})
  if (options.raw) stderr.end()
  return { stdin: options.stdin ? input(socket) : null, stdout, stderr, ended, held: hold.text, finish, cut }

  async function pump(): Promise<void> {
    for await (const piece of demuxed(socket, options.raw)) {
      if (piece.stream === 'stderr') await write(stderr, piece.data)
      else for (const data of hold.pass(piece.data)) await write(stdout, data)
    }
  }

  function cut(): void {
    for (const stream of [stdout, stderr, socket]) stream.destroy()
  }

  async function finish(replacement?: string): Promise<void> {
    const rest = hold.release()
    if (replacement !== undefined) await write(options.raw ? stdout : stderr, Buffer.from(replacement))
    else if (rest) await write(stdout, rest)
    stdout.end()
    stderr.end()
    socket.destroy()
  }
}

/** Keeps back what begins as an engine's message does; the engine writes it as one frame. Other output is never delayed. */
function createHold(): {
  pass(data: Uint8Array): readonly Uint8Array[]
  text(): string | undefined
  release(): Uint8Array | undefined
} {
  let kept: Buffer | undefined = Buffer.alloc(0)
  return {
    pass(data) {
      if (!kept) return [data]
      kept = Buffer.concat([kept, data])
      if (kept.length < 4096 && looksLikeFailure(kept.toString('latin1'))) return []
      const all = kept
      kept = undefined
      return [all]
    },
    text: () => (kept && kept.length > 0 ? kept.toString('utf8') : undefined),
    release: () => (kept && kept.length > 0 ? kept : undefined),
  }
}

function looksLikeFailure(text: string): boolean {
  return startFailurePrefixes.some((prefix) => text.startsWith(prefix))
}

/** Resolves when there is room again, or nobody reads any more. */
function write(stream: PassThrough, data: Uint8Array): Promise<void> | undefined {
  if (stream.destroyed || stream.writableEnded || stream.write(data)) return undefined
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done)
      stream.off('close', done)
      resolve()
    }
    stream.on('drain', done)
    stream.on('close', done)
  })
}

/** A program that has ended takes no more input: what is written then is dropped, as a closed pipe's is. */
function input(socket: Duplex): Writable {
  return new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      if (socket.destroyed || socket.writableEnded) done()
      else socket.write(chunk, () => done())
    },
    final(done) {
      if (socket.destroyed || socket.writableEnded) done()
      else socket.end(() => done())
    },
  })
}
