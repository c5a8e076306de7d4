import { fromBase64, toBase64 } from './base64.ts'
import type { CallOptions } from './client.ts'
import type { RequestOptions } from './connection.ts'
import type { Link } from './link.ts'
import type { HolmRemoteError } from './errors.ts'
import type { MethodParams, NotificationParams } from './methods.ts'

export type ExecParams = MethodParams<'exec.start'>
type Signal = MethodParams<'exec.signal'>['signal']

export interface Ended {
  /** As a shell would report it: 128 + n for signal n. */
  readonly code: number
  readonly signal?: string | undefined
  /** Ended by its `timeoutMs`. */
  readonly timedOut: boolean
}

/** A program that runs. Read both streams or cancel them: output that nobody reads stalls it, as with any pipe. */
export interface Execution {
  readonly id: string
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>>
  /** Resolves when the program can take more. Needs `stdin: true` or a `pty`. */
  write(data: Uint8Array | string): Promise<void>
  /** Ends its input. */
  end(): Promise<void>
  resize(size: { readonly cols: number; readonly rows: number }): Promise<void>
  kill(signal?: Signal): Promise<void>
  /** Rejects when the connection was lost: the server ends the program then. */
  readonly exited: Promise<Ended>
}

const defaultWindow = 1024 * 1024
const inputChunk = 256 * 1024

export async function createExecution(
  link: Pick<Link, 'request' | 'notify' | 'listen'>,
  params: ExecParams,
  options: CallOptions = {},
): Promise<Execution> {
  const window = params.window ?? defaultWindow
  const { promise: exited, resolve, reject } = Promise.withResolvers<Ended>()
  exited.catch(() => undefined)
  let id = ''
  let taken = 0
  // Not every chunk one by one: the server counts messages.
  const read = (bytes: number): void => {
    taken += bytes
    if (taken < window / 4) return
    link.notify('exec.acknowledge', { execution: id, bytes: taken })
    taken = 0
  }
  const streams = { stdout: createOutput(read), stderr: createOutput(read) }
  const listener = {
    notified(method: string, given: unknown): void {
      if (method === 'exec.output') {
        const { stream, data } = given as NotificationParams<'exec.output'>
        return streams[stream].push(fromBase64(data))
      }
      stop()
      const { code, signal, timedOut } = given as NotificationParams<'exec.ended'>
      for (const stream of Object.values(streams)) stream.end()
      resolve({ code, signal, timedOut })
    },
    lost(error: HolmRemoteError): void {
      for (const stream of Object.values(streams)) stream.fail(error)
      reject(error)
    },
  }
  let stop = (): void => undefined
  await link.request('exec.start', { ...params, window }, {
    ...options,
    onResult(result) {
      id = (result as { readonly execution: string }).execution
      stop = link.listen(id, listener)
    },
  } as RequestOptions)
  const send = async (method: string, more: object): Promise<void> => {
    await link.request(method, { execution: id, ...more })
  }
  return {
    id,
    stdout: streams.stdout.stream,
    stderr: streams.stderr.stream,
    async write(data) {
      const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
      for (let at = 0; at < bytes.length; at += inputChunk)
        await send('exec.write', { data: toBase64(bytes.subarray(at, at + inputChunk)), encoding: 'base64' })
    },
    end: () => send('exec.write', { end: true }),
    resize: ({ cols, rows }) => send('exec.resize', { cols, rows }),
    kill: (signal = 'SIGTERM') => send('exec.signal', { signal }),
    exited,
  }
}

interface Output {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>
  push(chunk: Uint8Array<ArrayBuffer>): void
  end(): void
  fail(error: Error): void
}

/** Bytes are acknowledged when they are taken out, so that the server never sends much more than somebody reads. */
function createOutput(read: (bytes: number) => void): Output {
  const queue: Uint8Array<ArrayBuffer>[] = []
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>
  let wanted = false
  let cancelled = false
  let over = false
  const flow = (): void => {
    if (cancelled) return
    const chunk = wanted ? queue.shift() : undefined
    if (chunk !== undefined) {
      wanted = false
      controller.enqueue(chunk)
      read(chunk.length)
    } else if (over && queue.length === 0) {
      cancelled = true
      controller.close()
    }
  }
  const source = {
    start: (given: typeof controller) => void (controller = given),
    pull() {
      wanted = true
      flow()
    },
    cancel() {
      cancelled = true
      for (const chunk of queue.splice(0)) read(chunk.length)
    },
  }
  return {
    stream: new ReadableStream<Uint8Array<ArrayBuffer>>(source, { highWaterMark: 0 }),
    push(chunk) {
      if (cancelled) return read(chunk.length)
      queue.push(chunk)
      flow()
    },
    end() {
      over = true
      flow()
    },
    fail(error) {
      if (cancelled) return
      cancelled = true
      controller.error(error)
    },
  }
}
