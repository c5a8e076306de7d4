import type { WebSocket } from 'ws'
import type { Limits } from './options.ts'
import { closeCodes, createWaiters, type Wire, type WireEvents } from './wire.ts'

/** How often the other end is asked whether it is there, and how long it may be silent. */
const pingMs = 30_000
const silentMs = 60_000

export function webSocketWire(socket: WebSocket, limits: Limits, events: WireEvents): Wire {
  const over = new AbortController()
  const waiters = createWaiters(() => over.signal.aborted || socket.bufferedAmount < limits.calmBytes)
  let heard = performance.now()
  const hear = (): void => void (heard = performance.now())
  const timer = setInterval(() => {
    if (performance.now() - heard > silentMs) socket.terminate()
    else socket.ping()
  }, pingMs)
  socket.on('message', (data, isBinary) => {
    hear()
    if (isBinary) socket.close(1003, 'messages are texts')
    else events.message((data as Buffer).toString())
  })
  socket.on('pong', hear)
  socket.on('error', () => undefined)
  socket.on('close', () => {
    clearInterval(timer)
    over.abort()
    waiters.look()
  })
  return {
    signal: over.signal,
    get buffered() {
      return socket.bufferedAmount
    },
    send(text) {
      if (over.signal.aborted || socket.readyState !== socket.OPEN) return
      socket.send(text, () => waiters.look())
      if (socket.bufferedAmount > limits.stalledBytes) socket.terminate()
    },
    calm: () => waiters.wait(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close(reason, code = closeCodes.going) {
      socket.close(code, reason)
      setTimeout(() => socket.terminate(), lingerMs).unref()
    },
  }
}

const lingerMs = 1000
