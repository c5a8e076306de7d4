import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { createDispatcher, type Dispatcher } from './dispatch.ts'
import type { Execution } from './executions.ts'
import type { Backend, Session } from './session.ts'
import { closeCodes, type Wire, type WireEvents } from './wire.ts'

export interface Connection {
  /** Tells the other end, ends its programs and lets it go. */
  end(reason: string): Promise<void>
  readonly over: Promise<void>
}

export interface ConnectionOptions {
  readonly backend: Backend
  /** Where the token was not shown while the connection was made. */
  readonly authenticate?: (token: string) => boolean
  open(events: WireEvents): Wire
}

/** How long somebody who has shown no token may stay, milliseconds. */
const patienceMs = 10_000

export function serveConnection({ backend, authenticate, open }: ConnectionOptions): Connection {
  let known = authenticate === undefined
  const pace = createPace(backend.limits.messagesPerSecond)
  const inbox: string[] = []
  let busy = false
  const wire = open({
    message(text) {
      inbox.push(text)
      if (!busy) void work()
    },
  })
  const session = createSession(backend, wire)
  const dispatcher: Dispatcher = createDispatcher({
    session,
    backend,
    send: (message) => wire.send(JSON.stringify({ jsonrpc: '2.0', ...message })),
    refuse: (reason) => wire.close(reason, closeCodes.policy),
    ...(authenticate && { authenticate: (token) => (known = authenticate(token)) }),
  })
  /** One message after the other, no quicker than allowed: what waits is not read from the connection meanwhile. */
  const work = async (): Promise<void> => {
    busy = true
    for (let text = inbox.shift(); text !== undefined && !wire.signal.aborted; text = inbox.shift()) {
      const delay = pace()
      if (delay > 0) {
        wire.pause()
        await setTimeout(delay, undefined, { signal: wire.signal }).catch(() => undefined)
        wire.resume()
      }
      dispatcher.receive(text)
    }
    busy = false
  }
  const late = globalThis.setTimeout(() => {
    if (!known) wire.close('no token was shown', closeCodes.policy)
  }, patienceMs)
  const over = new Promise<void>((resolve) => {
    wire.signal.addEventListener('abort', () => {
      clearTimeout(late)
      resolve(release(session))
    })
  })
  return {
    over,
    async end(reason) {
      session.notify('session.closing', { reason })
      await endAll(session.executions.values())
      wire.close(reason, closeCodes.going)
      await over
    },
  }
}

function createSession({ limits }: Backend, wire: Wire): Session {
  return {
    signal: wire.signal,
    limits,
    executions: new Map(),
    subscriptions: new Map(),
    notify: (method, params) => wire.send(JSON.stringify({ jsonrpc: '2.0', method, params })),
    calm: () => wire.calm(),
    get congested() {
      return wire.buffered >= limits.calmBytes
    },
    newId: () => randomUUID(),
  }
}

async function release({ subscriptions, executions }: Session): Promise<void> {
  for (const end of subscriptions.values()) end()
  subscriptions.clear()
  await endAll(executions.values())
}

async function endAll(executions: Iterable<Execution>): Promise<void> {
  await Promise.all([...executions].map((execution) => execution.end()))
}

/** Milliseconds that the next message has to wait. Up to a second's worth may come at once. */
export function createPace(perSecond: number, now: () => number = () => performance.now()): () => number {
  let full = now() - 1000
  return () => {
    // `full` is when the messages so far would have come, had they come evenly.
    full = Math.max(full, now() - 1000) + 1000 / perSecond
    return Math.max(0, full - now())
  }
}
