import type { ClientOptions, ClientState } from './client.ts'
import { interrupted, openConnection, type Connection, type RequestOptions } from './connection.ts'
import { connectionLost, HolmRemoteError } from './errors.ts'
import { nextDelay, pause, type ReconnectOptions } from './reconnect.ts'
import { createSubscriptions, type Active, type Subscription } from './subscriptions.ts'
import type { OpenTransport } from './transport.ts'

/** The connection that there is, or the next one, and what has to be put back on it. */
export interface Link {
  request(method: string, params: unknown, options?: RequestOptions): Promise<unknown>
  notify(method: string, params: unknown): void
  /** Notifications of one execution, and the end of its connection; the result stops it. */
  listen(execution: string, listener: ExecutionListener): () => void
  subscribe(active: Active): Promise<Subscription>
  readonly state: ClientState
  start(): Promise<void>
  close(): void
}

export interface ExecutionListener {
  notified(method: string, params: unknown): void
  lost(error: HolmRemoteError): void
}

export function createLink(open: OpenTransport, options: ClientOptions): Link {
  const executions = createExecutions()
  const subscriptions = createSubscriptions(() => current.ready)
  const closing = new AbortController()
  const current = createCurrent(options.onState)
  const closed = (reason: string): void => {
    subscriptions.lost()
    executions.lost(reason)
    if (closing.signal.aborted || options.reconnect === false) return current.end(reason)
    current.await(again(options.reconnect), reason)
  }
  const notification = (method: string, params: unknown): void => {
    executions.notified(method, params)
    subscriptions.notified(params)
  }
  const once = async (): Promise<Connection> => {
    const connection = await openConnection(open, { notification, closed })
    if (closing.signal.aborted) connection.close()
    return connection
  }
  const again = async (how: ReconnectOptions | undefined): Promise<Connection> => {
    const connection = await reconnect(once, { options: how, signal: closing.signal })
    // Once it counts as the one there is.
    queueMicrotask(() => subscriptions.restore(connection))
    return connection
  }
  return {
    get state() {
      return current.state
    },
    async start() {
      current.await(once(), 'connecting')
      await current.connection
    },
    async request(method, params, given = {}) {
      const connection = await within(current.connection, given)
      return connection.request(method, params, given)
    },
    notify: (method, params) => current.ready?.notify(method, params),
    listen: (execution, listener) => executions.listen(execution, listener),
    subscribe: async (active) => subscriptions.add(await within(current.connection, {}), active),
    close() {
      closing.abort()
      const { ready } = current
      current.end('it was closed here')
      ready?.close()
    },
  }
}

/** What there is of a connection. */
interface Current {
  /** The one there is, or will be. */
  readonly connection: Promise<Connection>
  readonly ready: Connection | undefined
  readonly state: ClientState
  await(connection: Promise<Connection>, reason: string): void
  end(reason: string): void
}

function createCurrent(onState: ClientOptions['onState']): Current {
  let connection = rejected('it was never made')
  let ready: Connection | undefined
  let state: ClientState = 'reconnecting'
  const setState = (next: ClientState, reason: string): void => {
    const before = state
    state = next
    if (before !== next) onState?.(next, reason)
  }
  const end = (reason: string): void => {
    ready = undefined
    connection = rejected(reason)
    setState('closed', reason)
  }
  return {
    get connection() {
      return connection
    },
    get ready() {
      return ready
    },
    get state() {
      return state
    },
    end,
    await(next, reason) {
      ready = undefined
      connection = next
      setState('reconnecting', reason)
      void settle(next)
    },
  }

  async function settle(next: Promise<Connection>): Promise<void> {
    try {
      const made = await next
      // Not when it was lost again meanwhile, or closed.
      if (connection !== next) return
      ready = made
      setState('connected', 'connected')
    } catch (error) {
      if (connection === next) end(error instanceof Error ? error.message : String(error))
    }
  }
}

function rejected(reason: string): Promise<Connection> {
  const { promise, reject } = Promise.withResolvers<Connection>()
  void promise.catch(() => undefined)
  reject(connectionLost(reason))
  return promise
}

interface Executions {
  listen: Link['listen']
  notified(method: string, params: unknown): void
  lost(reason: string): void
}

function createExecutions(): Executions {
  const all = new Map<string, ExecutionListener>()
  return {
    listen(execution, listener) {
      all.set(execution, listener)
      return () => void all.delete(execution)
    },
    notified(method, params) {
      const { execution } = params as { readonly execution?: string }
      if (execution !== undefined) all.get(execution)?.notified(method, params)
    },
    lost(reason) {
      for (const listener of all.values()) listener.lost(connectionLost(reason))
      all.clear()
    },
  }
}

interface Again {
  readonly options: ReconnectOptions | undefined
  readonly signal: AbortSignal
}

async function reconnect(
  once: () => Promise<Connection>,
  { options = {}, signal }: Again,
): Promise<Connection> {
  for (let attempt = 0; ; attempt++) {
    await pause(nextDelay(attempt, options), signal)
    try {
      if (signal.aborted) throw connectionLost('it was closed here')
      return await once()
    } catch (error) {
      if (signal.aborted || attempt + 1 >= (options.attempts ?? Infinity)) throw error
    }
  }
}

/** The connection, waited for no longer than the call may take. */
async function within(
  connection: Promise<Connection>,
  { signal, timeoutMs }: RequestOptions,
): Promise<Connection> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => undefined)
  const abort = (): void => reject(interrupted(signal))
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })
  const late = new HolmRemoteError('HOLM_TIMEOUT', `no connection to holm within ${timeoutMs} ms`)
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => reject(late), timeoutMs)
  try {
    return await Promise.race([connection, promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}
