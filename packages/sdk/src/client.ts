import { createExecution, type ExecParams, type Execution } from './execution.ts'
import { readWhole, writeWhole, type FileTarget } from './files.ts'
import { createLink, type Link } from './link.ts'
import type { MethodName, MethodParams, MethodResult, NotificationParams } from './methods.ts'
import type { ReconnectOptions } from './reconnect.ts'
import type { Subscription } from './subscriptions.ts'
import type { OpenTransport } from './transport.ts'

export interface CallOptions {
  /** Ends the call, on the server too. */
  readonly signal?: AbortSignal
  /** How long to wait for an answer, milliseconds; absent: as long as it takes. The wait for a new connection counts. */
  readonly timeoutMs?: number
  readonly onProgress?: (event: NotificationParams<'call.progress'>['event']) => void
}

export type ClientState = 'connected' | 'reconnecting' | 'closed'

export interface ClientOptions {
  /** False: a lost connection is the end. */
  readonly reconnect?: ReconnectOptions | false
  readonly onState?: (state: ClientState, reason: string) => void
}

type Event = Omit<NotificationParams<'event.occurred'>, 'subscription'>
type Change = Omit<NotificationParams<'fs.changed'>, 'subscription'>

/** Listens; `failed` is called when it could not go on after a new connection. */
export interface Listener<Told> {
  (told: Told): void
  readonly failed?: (error: unknown) => void
}

export interface HolmClient {
  readonly state: ClientState
  /**
   * Any method of the table. While the connection is being made anew, a call waits for it; one that was on its way when the
   * connection was lost is HOLM_CONNECTION_LOST, and is not repeated.
   */
  call<Name extends MethodName>(
    method: Name,
    params: MethodParams<Name>,
    options?: CallOptions,
  ): Promise<MethodResult<Name>>
  /** Starts a program. It ends with the connection. */
  exec(params: ExecParams, options?: CallOptions): Promise<Execution>
  /** A whole file, of any size. */
  readFile(target: FileTarget, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>>
  writeFile(target: FileTarget, data: Uint8Array | string, options?: CallOptions): Promise<void>
  /** Goes on after a new connection; `overflow` then says that something may have been missed. */
  watch(params: MethodParams<'fs.watch'>, listener: Listener<Change>): Promise<Subscription>
  /** Goes on after a new connection with the next event. */
  onEvent(params: MethodParams<'event.subscribe'>, listener: Listener<Event>): Promise<Subscription>
  close(): void
}

/** Connects, and stays connected. The first connection must succeed. */
export async function createClient(open: OpenTransport, options: ClientOptions = {}): Promise<HolmClient> {
  const link = createLink(open, options)
  await link.start()
  const call: HolmClient['call'] = (method, params, { signal, timeoutMs, onProgress } = {}) =>
    link.request(method, params, { signal, timeoutMs, onProgress: onProgress as never }) as never
  return {
    get state() {
      return link.state
    },
    call,
    close: () => link.close(),
    exec: (params, callOptions) => createExecution(link, params, callOptions),
    readFile: (target, callOptions) => readWhole(call, target, callOptions),
    writeFile: (target, data, callOptions) => writeWhole(call, { target, data }, callOptions),
    watch: (params, listener) => watch(link, params, listener),
    onEvent: (params, listener) => onEvent(link, params, listener),
  }
}

function watch(
  link: Link,
  params: MethodParams<'fs.watch'>,
  listener: Listener<Change>,
): Promise<Subscription> {
  return link.subscribe({
    method: 'fs.watch',
    params: () => params,
    started: () => undefined,
    notified(change) {
      const { paths, overflow } = change as Change
      listener({ paths, overflow })
    },
    resumed: () => listener({ paths: [], overflow: true }),
    failed: (error) => listener.failed?.(error),
  })
}

function onEvent(
  link: Link,
  params: MethodParams<'event.subscribe'>,
  listener: Listener<Event>,
): Promise<Subscription> {
  let last = params.after
  return link.subscribe({
    method: 'event.subscribe',
    params: () => (last === undefined ? params : { ...params, after: last }),
    started: (result) => void (last ??= (result as MethodResult<'event.subscribe'>).last),
    notified(told) {
      const { id, at, event, missed } = told as Event
      last = id
      listener({ id, at, event, missed })
    },
    resumed: () => undefined,
    failed: (error) => listener.failed?.(error),
  })
}
