import type { Readable } from 'node:stream'
import type { Process } from '@holm/core'

export interface Output {
  readonly code: number
  readonly signal: NodeJS.Signals | undefined
  readonly stdout: Buffer
  readonly stderr: Buffer
  /** `stdout` and `stderr` as UTF-8. */
  readonly text: string
  readonly errorText: string
}

/** Gives the process its input (if it takes any), reads everything it writes, and waits for its end. */
export async function collect(process: Process, input?: Uint8Array | string): Promise<Output> {
  process.stdin?.on('error', () => undefined)
  process.stdin?.end(input)
  const [stdout, stderr, exit] = await Promise.all([
    readAll(process.stdout),
    readAll(process.stderr),
    process.exited,
  ])
  return {
    code: exit.code,
    signal: exit.signal,
    stdout,
    stderr,
    text: stdout.toString('utf8'),
    errorText: stderr.toString('utf8'),
  }
}

/** Every byte of a stream. */
export async function readAll(stream: Readable | AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks)
}

/** What a stream has carried so far; for programs that go on. */
export interface Tap {
  /** Everything so far, as UTF-8. */
  text(): string
  bytes(): number
  /** Everything was read. */
  readonly ended: Promise<void>
}

/** Starts reading at once and remembers. */
export function tap(stream: Readable): Tap {
  const chunks: Buffer[] = []
  let bytes = 0
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  for (const event of ['end', 'close', 'error']) stream.once(event, () => resolve())
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Uint8Array) => {
    chunks.push(Buffer.from(chunk))
    bytes += chunk.length
  })
  return { text: () => Buffer.concat(chunks).toString('utf8'), bytes: () => bytes, ended }
}
