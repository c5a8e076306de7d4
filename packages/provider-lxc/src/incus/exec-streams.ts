import { PassThrough, Writable } from 'node:stream'
import type { Readable } from 'node:stream'
import type WebSocket from 'ws'
import type { EndFilter } from './terminal-end.ts'

/** The daemon's websockets of one program: its input, its outputs, and the one for sizes. */
export interface Sockets {
  /** Of a terminal: both directions. */
  readonly input: WebSocket
  readonly output: WebSocket
  readonly errors: WebSocket | undefined
  readonly control: WebSocket
}

/** Takes lines off the front of a stream, then gives the rest to `stream`. Nothing is read faster than it is consumed. */
export interface Lead {
  readonly stream: Readable
  /** The next line without its end; undefined when the stream ended first. Only before `pass`. */
  line(): Promise<string | undefined>
  /** From here on everything is the program's. */
  pass(): void
  readonly ended: Promise<void>
  /** Nothing more is taken from the daemon, which may still have to say that it is done. */
  finish(): void
  /** The daemon has said so. */
  readonly closed: Promise<void>
}

/** A text frame says that there is no more; the daemon closes some time later. `filter`: what is not the program's. */
export function openOutput(socket: WebSocket, filter?: EndFilter): Lead {
  const stream = new PassThrough({ highWaterMark: 1024 * 1024 })
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  let held: Buffer | undefined = Buffer.alloc(0)
  let over = false
  let wake: () => void = () => undefined
  const finish = (): void => {
    if (over) return
    if (filter) take(filter.rest())
    over = true
    wake()
    if (held === undefined) stream.end()
    resolve()
  }
  const go = (): void => socket.resume()
  stream.on('drain', go)
  stream.on('close', go)
  // What was read already still comes after a pause.
  const push = (data: Buffer): void => {
    if (!stream.write(data) && !stream.destroyed) socket.pause()
  }
  const take = (data: Buffer): void => {
    if (data.length === 0) return
    if (held === undefined) return push(data)
    held = Buffer.concat([held, data])
    wake()
  }
  socket.on('message', (data: Buffer, binary: boolean) => {
    if (!binary) finish()
    else if (!over) take(filter?.take(data) ?? data)
  })
  socket.on('close', finish)
  socket.on('error', finish)
  socket.resume()
  return {
    stream,
    ended,
    finish,
    closed: closedOf(socket),
    line: async () => {
      for (;;) {
        const found = held && splitLine(held)
        if (found) {
          held = found.rest
          return found.line
        }
        if (over) return undefined
        const { promise, resolve: next } = Promise.withResolvers<void>()
        wake = next
        await promise
      }
    },
    pass: () => {
      const rest = held
      held = undefined
      if (rest && rest.length > 0) push(rest)
      if (over) stream.end()
    },
  }
}

async function closedOf(socket: WebSocket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('message', (_data, binary: boolean) => void (binary || resolve()))
  socket.on('close', () => resolve())
  socket.on('error', () => resolve())
  return promise
}

function splitLine(data: Buffer): { readonly line: string; readonly rest: Buffer } | undefined {
  const end = data.indexOf(10)
  if (end < 0) return undefined
  return { line: data.subarray(0, end).toString('utf8').replace(/\r$/, ''), rest: data.subarray(end + 1) }
}

/** A program that has ended takes no more input: what is written then is dropped, as a closed pipe's is. A terminal has no end. */
export function openInput(socket: WebSocket, { pty }: { readonly pty: boolean }): Writable {
  return new Writable({
    highWaterMark: 256 * 1024,
    write(chunk: Uint8Array, _encoding, done) {
      if (isOpen(socket)) socket.send(chunk, { binary: true }, () => done())
      else done()
    },
    final(done) {
      if (!pty) endInput(socket)
      done()
    },
  })
}

/** The daemon takes a text frame for the end of the input. */
export function endInput(socket: WebSocket): void {
  if (isOpen(socket)) socket.send('', { binary: false }, () => undefined)
}

export function isOpen(socket: WebSocket): boolean {
  return socket.readyState === socket.OPEN
}
