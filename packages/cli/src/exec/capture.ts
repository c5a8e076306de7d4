import type { Process } from '@holm/core'
import type { Readable } from 'node:stream'

export interface CapturedExec {
  readonly exitCode: number
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** 'base64' when one of the streams is no UTF-8; then both are. */
  readonly encoding: 'utf8' | 'base64'
  /** A stream was longer than what is kept of it, its first 32 MiB. Without --json nothing is cut. */
  readonly truncated: boolean
}

/** Bytes of each stream that a document holds. It is built in memory, and as base64 grows by a third. */
const keptBytes = 32 * 1024 * 1024

/** Runs the process to its end for `exec --json`: its output becomes part of the one document. */
export async function captureProcess(process: Process, limit: number = keptBytes): Promise<CapturedExec> {
  const [stdout, stderr, exit] = await Promise.all([
    collect(process.stdout, limit),
    collect(process.stderr, limit),
    process.exited,
  ])
  const text = decodeAll([stdout, stderr])
  const [out = '', err = ''] = text ?? [stdout.data.toString('base64'), stderr.data.toString('base64')]
  return {
    exitCode: exit.code,
    signal: exit.signal ?? null,
    stdout: out,
    stderr: err,
    encoding: text ? 'utf8' : 'base64',
    truncated: stdout.truncated || stderr.truncated,
  }
}

interface Collected {
  readonly data: Buffer
  readonly truncated: boolean
}

/** Reads to the end: a program that nobody reads from would stall. */
async function collect(stream: Readable, limit: number): Promise<Collected> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    if (size < limit) chunks.push(chunk.subarray(0, limit - size))
    size += chunk.length
  }
  return { data: Buffer.concat(chunks), truncated: size > limit }
}

function decodeAll(streams: readonly Collected[]): string[] | undefined {
  try {
    return streams.map(({ data, truncated }) =>
      // Where it was cut, half a character is no error.
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data, { stream: truncated }),
    )
  } catch {
    return undefined
  }
}
