import type { Client as Channel, Metadata } from '@grpc/grpc-js'
import { loadDefinition } from './client-definition.ts'
import type { Definition } from './client-definition.ts'
import type { StreamCalls, UnaryCalls, WriteRequest, WriteResponse } from './api.ts'

export interface CallOptions {
  /** Absent: 60 s. 0: none, for a wait that may take as long as a program runs. */
  readonly timeoutMs?: number
  /** Ends the wait for the answer; what the call does may still be done. */
  readonly signal?: AbortSignal
  /** What the call makes is kept from the garbage collector as long as this lease lives. */
  readonly lease?: string
  /** Wait for a connection until the deadline, instead of failing at once when there is none. */
  readonly waitForReady?: boolean
}

/** A stream of requests answered one by one, as `Content.Write` is. */
export interface Writer {
  /** Sends one and waits for its answer. */
  send(request: WriteRequest): Promise<WriteResponse>
  end(): void
}

/** containerd over its socket, in one namespace of its own. */
export interface Client {
  call<Name extends keyof UnaryCalls>(
    name: Name,
    request: UnaryCalls[Name][0],
    options?: CallOptions,
  ): Promise<UnaryCalls[Name][1]>
  stream<Name extends keyof StreamCalls>(
    name: Name,
    request: StreamCalls[Name][0],
    options?: CallOptions,
  ): AsyncIterable<StreamCalls[Name][1]>
  write(options?: CallOptions): Writer
  close(): void
}

export interface ClientSettings {
  /** Absolute path of the socket. */
  readonly address: string
  /** containerd's namespace. */
  readonly namespace: string
}

const defaultTimeoutMs = 60_000

/** Loads the gRPC library; connects with the first call. */
export async function createClient({ address, namespace }: ClientSettings): Promise<Client> {
  const [{ default: grpc }, definition] = await Promise.all([import('@grpc/grpc-js'), loadDefinition()])
  const channel = new grpc.Client(`unix:${address}`, grpc.credentials.createInsecure(), channelOptions)
  const metadataOf = ({ lease, waitForReady = false }: CallOptions): Metadata => {
    const metadata = new grpc.Metadata({ waitForReady })
    metadata.set('containerd-namespace', namespace)
    if (lease !== undefined) metadata.set('containerd-lease', lease)
    return metadata
  }
  const connection: Connection = { channel, definition, metadataOf }
  return {
    call: (name, request, options) => callUnary(connection, { name, request, options }) as Promise<never>,
    stream: (name, request, options) => callStream(connection, { name, request, options }),
    write: (options) => openWriter(connection, options),
    close: () => channel.close(),
  }
}

const channelOptions = {
  // A socket has no host name; Go's server refuses the path that the library would send.
  'grpc.default_authority': 'localhost',
  'grpc.max_receive_message_length': 64 << 20,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  // The library looks for a proxy in the environment: a socket has none.
  'grpc.enable_http_proxy': 0,
}

interface Connection {
  readonly channel: Channel
  readonly definition: Definition
  metadataOf(options: CallOptions): Metadata
}

interface Call {
  readonly name: string
  readonly request: unknown
  readonly options?: CallOptions | undefined
}

function deadlineOf({ timeoutMs = defaultTimeoutMs }: CallOptions): { readonly deadline?: number } {
  return timeoutMs === 0 ? {} : { deadline: Date.now() + timeoutMs }
}

function callUnary(connection: Connection, { name, request, options = {} }: Call): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = connection.definition(name)
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const call = connection.channel.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    connection.metadataOf(options),
    deadlineOf(options),
    (error, answer) => {
      options.signal?.removeEventListener('abort', cancel)
      if (error) reject(error)
      else resolve(answer)
    },
  )
  const cancel = (): void => call.cancel()
  options.signal?.addEventListener('abort', cancel, { once: true })
  return promise
}

function callStream(connection: Connection, { name, request, options = {} }: Call): AsyncIterable<never> {
  const { path, requestSerialize, responseDeserialize } = connection.definition(name)
  return connection.channel.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    connection.metadataOf(options),
    deadlineOf(options),
  ) as AsyncIterable<never>
}

function openWriter(connection: Connection, options: CallOptions = {}): Writer {
  const { path, requestSerialize, responseDeserialize } = connection.definition('Content.Write')
  const call = connection.channel.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize as (bytes: Buffer) => WriteResponse,
    connection.metadataOf(options),
    deadlineOf({ timeoutMs: 0, ...options }),
  )
  const answers = (call as AsyncIterable<WriteResponse>)[Symbol.asyncIterator]()
  return {
    async send(request) {
      call.write(request)
      const { value, done } = (await answers.next()) as IteratorResult<WriteResponse, undefined>
      if (done) throw new TypeError('containerd ended the upload')
      return value
    },
    end: () => call.end(),
  }
}
