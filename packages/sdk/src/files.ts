import { fromBase64, toBase64 } from './base64.ts'
import type { CallOptions, HolmClient } from './client.ts'

export interface FileTarget {
  readonly environment: string
  readonly path: string
}

type Call = HolmClient['call']

/** Part by part: a message has a longest length. */
export async function readWhole(
  call: Call,
  target: FileTarget,
  options?: CallOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = []
  for (let offset = 0, end = false; !end;) {
    const part = await call('fs.readFile', { ...target, encoding: 'base64', offset }, options)
    parts.push(fromBase64(part.data))
    offset += part.bytes
    end = part.end || part.bytes === 0
  }
  return concat(parts)
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const chunkBytes = 256 * 1024

export async function writeWhole(
  call: Call,
  { target, data }: { readonly target: FileTarget; readonly data: Uint8Array | string },
  options?: CallOptions,
): Promise<void> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  for (let at = 0; at === 0 || at < bytes.length; at += chunkBytes) {
    const part = toBase64(bytes.subarray(at, at + chunkBytes))
    const mode = at === 0 ? 'replace' : 'append'
    await call('fs.writeFile', { ...target, data: part, encoding: 'base64', mode }, options)
  }
}
