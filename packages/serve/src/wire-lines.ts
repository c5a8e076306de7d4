import type { Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import type { Limits } from './options.ts'
import { createWaiters, type Wire, type WireEvents } from './wire.ts'

/** A message a line, over a unix socket. */
export function lineWire(socket: Socket, limits: Limits, events: WireEvents): Wire {
  const over = new AbortController()
  const waiters = createWaiters(() => over.signal.aborted || socket.writableLength < limits.calmBytes)
  const lines = createLines(limits.messageBytes)
  const wire: Wire = {
    signal: over.signal,
    get buffered() {
      return socket.writableLength
    },
    send(text) {
      if (over.signal.aborted) return
      socket.write(`${text}\n`, () => waiters.look())
      if (socket.writableLength > limits.stalledBytes) socket.destroy()
    },
    calm: () => waiters.wait(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => {
      // What was sent last still arrives, if the other end reads it.
      socket.end()
      setTimeout(() => socket.destroy(), lingerMs).unref()
    },
  }
  socket.on('data', (chunk) => {
    for (const line of lines.take(chunk)) if (line.trim() !== '') events.message(line)
    if (!lines.overlong) return
    wire.send(JSON.stringify({ jsonrpc: '2.0', id: null, error: tooLong(limits) }))
    wire.close('a message is too long')
    socket.removeAllListeners('data')
    socket.resume()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    over.abort()
    waiters.look()
  })
  return wire
}

const lingerMs = 1000

function tooLong({ messageBytes }: Limits): { code: number; message: string } {
  return { code: -32_600, message: `a message is longer than ${messageBytes} bytes` }
}

/** Cuts bytes into lines, keeping no more than the longest one allowed. */
function createLines(limit: number): { readonly overlong: boolean; take(chunk: Buffer | string): string[] } {
  const decoder = new StringDecoder('utf8')
  let parts: string[] = []
  let length = 0
  return {
    get overlong() {
      return length > limit
    },
    take(chunk) {
      const pieces = decoder.write(Buffer.from(chunk)).split('\n')
      const last = pieces.pop() ?? ''
      const lines = pieces.map((piece, index) => {
        if (index > 0) return piece
        const line = [...parts, piece].join('')
        parts = []
        length = 0
        return line
      })
      parts.push(last)
      length += last.length
      if (lines.some((line) => line.length > limit)) length = limit + 1
      return length > limit ? [] : lines
    },
  }
}
