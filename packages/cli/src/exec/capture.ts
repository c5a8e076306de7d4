import type { Process } from '@holm/core'
import { buffer } from 'node:stream/consumers'

export interface CapturedExec {
  readonly exitCode: number
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** 'base64' when one of the streams is no UTF-8; then both are. */
  readonly encoding: 'utf8' | 'base64'
}

/** Runs the process to its end for `exec --json`: its output becomes part of the one document. */
export async function captureProcess(process: Process): Promise<CapturedExec> {
  const [stdout, stderr, exit] = await Promise.all([
    buffer(process.stdout),
    buffer(process.stderr),
    process.exited,
  ])
  const text = decodeAll([stdout, stderr])
  const [out = '', err = ''] = text ?? [stdout.toString('base64'), stderr.toString('base64')]
  return {
    exitCode: exit.code,
    signal: exit.signal ?? null,
    stdout: out,
    stderr: err,
    encoding: text ? 'utf8' : 'base64',
  }
}

function decodeAll(buffers: readonly Uint8Array[]): string[] | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return buffers.map((bytes) => decoder.decode(bytes))
  } catch {
    return undefined
  }
}
