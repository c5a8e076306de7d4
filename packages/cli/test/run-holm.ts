import { EventEmitter } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import type { HostApi } from '@holm/core'
import { sanitize } from '@holm/core/host'
import { runCli } from '../src/cli.ts'
import type { OpenHost } from '../src/host.ts'
import type { Streams } from '../src/streams.ts'
import { createFakeHost } from './fake-host.ts'
import type { FakeHostParts } from './fake-host.ts'

export interface RunHolmOptions {
  readonly host?: FakeHostParts
  /** Opens the host instead of the fake; for hosts that cannot be opened. */
  readonly openHost?: OpenHost
  readonly env?: Readonly<Record<string, string>>
  /** All three streams are a terminal of this width. */
  readonly columns?: number
  readonly stdin?: string
  readonly signals?: EventEmitter
}

export interface HolmRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** What `exit` was called with, for an end without clean-up. */
  readonly exits: readonly number[]
  readonly closed: number
}

export interface Sink extends Writable {
  isTTY?: true
  columns?: number
  rows?: number
  text(): string
}

export function createSink(columns?: number): Sink {
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  const terminal = columns === undefined ? {} : { isTTY: true as const, columns, rows: 24 }
  return Object.assign(sink, { text: () => Buffer.concat(chunks).toString(), ...terminal })
}

/** Runs one command line against a fake host and fake streams: everything but the process itself is real. */
export async function runHolm(argv: readonly string[], options: RunHolmOptions = {}): Promise<HolmRun> {
  const { columns, signals = new EventEmitter(), env = {} } = options
  const stdin = new PassThrough()
  if (options.stdin !== undefined) stdin.end(options.stdin)
  const streams: Streams = {
    stdin: columns === undefined ? stdin : Object.assign(stdin, { isTTY: true as const }),
    stdout: createSink(columns),
    stderr: createSink(columns),
  }
  const exits: number[] = []
  let closed = 0
  const fake = (): Promise<HostApi> =>
    Promise.resolve(createFakeHost({ close: () => Promise.resolve(void closed++), ...options.host }))
  const code = await runCli({
    argv,
    cwd: '/project',
    env,
    streams,
    openHost: options.openHost ?? fake,
    sanitize,
    signals,
    exit: (exitCode) => void exits.push(exitCode),
  })
  const read = (stream: Streams['stdout']): string => (stream as Sink).text()
  return { code, stdout: read(streams.stdout), stderr: read(streams.stderr), exits, closed }
}
