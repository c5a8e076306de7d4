import { PassThrough, pipeline, Readable, type Transform } from 'node:stream'
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib'
import type { ExportOptions } from '../../copies-api.ts'
import { TarDamage } from './entries.ts'

export function compress(
  source: AsyncIterable<Uint8Array>,
  how: NonNullable<ExportOptions['compression']>,
): AsyncIterable<Uint8Array> {
  if (how === 'none') return source
  return through(source, how === 'gzip' ? createGzip() : createZstdCompress())
}

/** By its first bytes, whatever its name. */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  while (head.length < 4) {
    const { value, done } = await iterator.next()
    if (done === true) break
    head = Buffer.concat([head, value])
  }
  const whole = async function* (): AsyncIterable<Uint8Array> {
    yield head
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
  }
  const unpacker = unpackerOf(head)
  try {
    yield* unpacker === undefined ? whole() : through(whole(), unpacker)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code?.startsWith('Z_') || code?.startsWith('ZSTD_')) throw new TarDamage('its compression is broken')
    throw error
  }
}

function unpackerOf(head: Buffer): Transform | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip()
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress() : undefined
}

function through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncIterable<Uint8Array> {
  const out = new PassThrough()
  pipeline(Readable.from(source), transform, out, () => undefined)
  return out as AsyncIterable<Uint8Array>
}
