import { HolmRemoteError, connectionLost, remoteError } from './errors.ts'
import type { Incoming, RpcId } from './protocol.ts'
import type { OpenTransport, Transport } from './transport.ts'

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /** Called before anything that came after the answer is looked at. */
  readonly onResult?: ((result: unknown) => void) | undefined
  readonly onProgress?: ((event: unknown) => void) | undefined
}

/** Requests and notifications over one connection. */
export interface Connection {
  request(method: string, params: unknown, options?: RequestOptions): Promise<unknown>
  notify(method: string, params: unknown): void
  close(): void
}

interface Pending {
  settle(message: Incoming): void
  fail(error: HolmRemoteError): void
  progress(event: unknown): void
}

export interface ConnectionEvents {
  notification(method: string, params: unknown): void
  closed(reason: string): void
}

export async function openConnection(open: OpenTransport, events: ConnectionEvents): Promise<Connection> {
  const pending = new Map<RpcId, Pending>()
  let next = 0
  let transport: Transport | undefined
  transport = await open({
    message: (text) => receive(text, pending, events),
    closed(reason) {
      transport = undefined
      for (const each of pending.values()) each.fail(connectionLost(reason))
      pending.clear()
      events.closed(reason)
    },
  })
  const send = (message: object): void => transport?.send(JSON.stringify({ jsonrpc: '2.0', ...message }))
  return {
    notify: (method, params) => send({ method, params }),
    close: () => transport?.close(),
    request: (method, params, options = {}) =>
      new Promise((resolve, reject) => {
        if (transport === undefined) return reject(connectionLost('it is closed'))
        if (options.signal?.aborted) return reject(interrupted(options.signal))
        const id = ++next
        const done = watch(id, options, (error) => {
          send({ method: 'session.cancel', params: { id } })
          finish(() => reject(error))
        })
        const finish = (work: () => void): void => {
          pending.delete(id)
          done()
          work()
        }
        pending.set(id, {
          progress: (event) => options.onProgress?.(event),
          fail: (error) => finish(() => reject(error)),
          settle: ({ error, result }) =>
            finish(() => {
              if (error) return reject(remoteError(error))
              options.onResult?.(result)
              resolve(result)
            }),
        })
        send({ id, method, params })
      }),
  }
}

/** Gives up when the signal fires or the time is over; the result stops the watching. */
function watch(
  id: RpcId,
  { signal, timeoutMs }: RequestOptions,
  giveUp: (error: HolmRemoteError) => void,
): () => void {
  const abort = (): void => giveUp(interrupted(signal))
  signal?.addEventListener('abort', abort, { once: true })
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => giveUp(new HolmRemoteError('HOLM_TIMEOUT', `no answer to call ${id} within ${timeoutMs} ms`)),
          timeoutMs,
        )
  return () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

export function interrupted(signal: AbortSignal | undefined): HolmRemoteError {
  return new HolmRemoteError('HOLM_INTERRUPTED', 'interrupted', { cause: signal?.reason })
}

function receive(text: string, pending: ReadonlyMap<RpcId, Pending>, events: ConnectionEvents): void {
  const message = JSON.parse(text) as Incoming
  if (message.method === 'call.progress') {
    const { id, event } = message.params as { readonly id: RpcId; readonly event: unknown }
    pending.get(id)?.progress(event)
  } else if (message.method !== undefined) events.notification(message.method, message.params)
  else if (message.id !== undefined && message.id !== null) pending.get(message.id)?.settle(message)
}
