import http from 'node:http'
import type { Readable } from 'node:stream'
import { HolmError, abortError, assertNotAborted, isHolmError } from '@holm/core'
import { apiError, connectionError } from './api-errors.ts'

/** One daemon of Incus or LXD, spoken to over its socket. Connected at first use. */
export interface Client {
  readonly socket: string
  /** `metadata` of the answer. An answer that says "error" is an ApiError. */
  get<T>(path: string, options?: CallOptions): Promise<T>
  /** Sends a change. When the daemon makes an operation of it, its end is waited for; returns the operation's metadata. */
  change<T>(call: Call, options?: CallOptions): Promise<T>
  /** The same, not waited for: the operation. */
  begin<T>(call: Call, options?: CallOptions): Promise<Operation<T>>
  /** Waits for the end of an operation, however it ends. */
  wait<T>(id: string, options?: CallOptions): Promise<Operation<T>>
  /** The body of an answer as it is. */
  stream(path: string, options?: CallOptions): Promise<Readable>
  dispose(): void
}

export interface Call {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  /** Sent as it is, instead of `body`. */
  readonly raw?: { readonly type: string; readonly data: AsyncIterable<Uint8Array> }
}

export interface CallOptions {
  /** What is done, for people. */
  readonly action?: string
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

export interface Operation<T = unknown> {
  readonly id: string
  readonly status_code: number
  readonly err: string
  readonly metadata: T
}

interface Answer {
  readonly type: 'sync' | 'async' | 'error'
  readonly error?: string
  readonly error_code?: number
  readonly metadata: unknown
}

const defaultTimeoutMs = 60_000

export function createClient(socket: string): Client {
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 8 })
  const send = (
    call: Omit<Call, 'method'> & { readonly method: string },
    options: CallOptions,
  ): Promise<http.IncomingMessage> => sendRequest({ agent, socket, call, options })
  const ask = async (
    call: Omit<Call, 'method'> & { readonly method: string },
    options: CallOptions = {},
  ): Promise<Answer> => {
    const response = await send(call, options)
    return parseAnswer(await readBody(response), { call, status: response.statusCode ?? 0 })
  }
  const wait = async <T>(
    id: string,
    { timeoutMs = defaultTimeoutMs, ...options }: CallOptions = {},
  ): Promise<Operation<T>> => {
    const path = `/1.0/operations/${id}`
    try {
      const answer = await ask({ method: 'GET', path: `${path}/wait` }, { ...options, timeoutMs })
      return answer.metadata as Operation<T>
    } catch (error) {
      if (!isHolmError(error) || error.details?.['status'] === undefined) throw error
      // Incus answers with the error alone when an operation failed; a program's exit code stands in the operation.
      const failed = await ask({ method: 'GET', path }).catch(() => undefined)
      if (failed === undefined) throw error
      return failed.metadata as Operation<T>
    }
  }
  const begin = async <T>(call: Call, options?: CallOptions): Promise<Operation<T>> => {
    const answer = await ask(call, options)
    return answer.metadata as Operation<T>
  }
  return {
    socket,
    get: async <T>(path: string, options?: CallOptions) =>
      (await ask({ method: 'GET', path }, options)).metadata as T,
    change: async <T>(call: Call, options?: CallOptions) => {
      const answer = await ask(call, options)
      if (answer.type !== 'async') return answer.metadata as T
      const done = await wait<T>((answer.metadata as Operation).id, options)
      if (done.err !== '') throw apiError(done.err, { path: call.path, status: done.status_code })
      return done.metadata
    },
    begin,
    wait,
    stream: async (path, options = {}) => {
      const response = await send({ method: 'GET', path }, options)
      if (response.statusCode === 200) return response
      parseAnswer(await readBody(response), { call: { path }, status: response.statusCode ?? 0 })
      return response
    },
    dispose: () => agent.destroy(),
  }
}

interface Sending {
  readonly agent: http.Agent
  readonly socket: string
  readonly call: Omit<Call, 'method'> & { readonly method: string }
  readonly options: CallOptions
}

function sendRequest({ agent, socket, call, options }: Sending): Promise<http.IncomingMessage> {
  const { signal, timeoutMs = defaultTimeoutMs } = options
  const action = options.action ?? `${call.method} ${call.path}`
  if (signal) assertNotAborted(signal)
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>()
  const body = call.raw ? undefined : call.body === undefined ? '' : JSON.stringify(call.body)
  const request = http.request({
    agent,
    socketPath: socket,
    method: call.method,
    path: call.path,
    headers: {
      Host: 'holm',
      ...(call.raw ? { 'Content-Type': call.raw.type } : { 'Content-Type': 'application/json' }),
      ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
    },
  })
  const fail = (error: unknown): void => {
    reject(error)
    request.destroy()
  }
  const onAbort = (): void => fail(signal ? abortError(signal) : undefined)
  const timer = setTimeout(
    () => fail(new HolmError('HOLM_TIMEOUT', `no answer within ${timeoutMs / 1000} s: ${action}`)),
    timeoutMs,
  )
  signal?.addEventListener('abort', onAbort, { once: true })
  request.on('error', (error) => reject(connectionError(error, { socket, action })))
  request.on('close', () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  })
  request.on('response', (response) => {
    clearTimeout(timer)
    resolve(response)
  })
  if (call.raw) void feed(request, call.raw.data).catch(fail)
  else request.end(body)
  return promise
}

/** Not faster than the daemon reads. */
async function feed(request: http.ClientRequest, data: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of data) {
    if (request.destroyed) return
    if (!request.write(chunk)) await drained(request)
  }
  request.end()
}

function drained(request: http.ClientRequest): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => {
    request.off('drain', done)
    request.off('close', done)
    resolve()
  }
  request.on('drain', done)
  request.on('close', done)
  return promise
}

async function readBody(response: http.IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of response) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString('utf8')
}

function parseAnswer(
  text: string,
  { call, status }: { readonly call: { readonly path: string }; readonly status: number },
): Answer {
  let answer: Answer
  try {
    answer = JSON.parse(text) as Answer
  } catch (cause) {
    throw new HolmError(
      'HOLM_PROVIDER_UNAVAILABLE',
      `the daemon answers ${call.path} with ${status} and no JSON`,
      {
        cause,
        hint: 'Check that the socket is that of Incus or LXD.',
      },
    )
  }
  if (answer.type === 'error')
    throw apiError(answer.error ?? 'unknown error', { path: call.path, status: answer.error_code ?? status })
  return answer
}
