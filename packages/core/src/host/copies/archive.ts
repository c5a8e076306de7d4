import { HolmError } from '../../errors.ts'
import { createBlockReader } from '../tar/blocks.ts'
import { block, hasSoundSum, sizeOf, sumOf, textOf } from '../tar/header.ts'

/** The outer form of an exported environment: a plain ustar archive of a few named parts, in a fixed order. */

/** A part as it comes out of an archive. Its data must be read to its end before the next part. */
export interface ReadPart {
  readonly path: string
  readonly sizeBytes: number
  readonly data: AsyncIterable<Buffer>
}

/** Header of a part. Sizes beyond 8 GiB are written in base 256, as GNU tar does. */
export function partHeader(path: string, sizeBytes: number): Buffer {
  const head = Buffer.alloc(block)
  head.write(path, 0, 100, 'utf8')
  head.write(['0000644', '0000000', '0000000', ''].join('\0'), 100)
  if (sizeBytes < 8 ** 11) head.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124)
  else {
    head[124] = 0x80
    head.writeBigUInt64BE(BigInt(sizeBytes), 128)
  }
  head.write('00000000000\0', 136)
  head.write('0', 156)
  head.write('ustar\x0000', 257)
  head.write(`${sumOf(head).toString(8).padStart(6, '0')}\0 `, 148)
  return head
}

export function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((block - (sizeBytes % block)) % block)
}

export const archiveEnd = Buffer.alloc(2 * block)

/** The parts of an archive, one after another. HOLM_BASE_INVALID for what is no such archive, or ends too early. */
export async function* readParts(source: AsyncIterable<Uint8Array>): AsyncIterable<ReadPart> {
  const reader = createBlockReader(source)
  for (;;) {
    const head = await reader.read(block)
    if (head.length === 0) throw damaged('it ends before its end mark')
    if (head.length < block) throw damaged('it is cut off')
    if (head.every((byte) => byte === 0)) return
    const { path, sizeBytes } = parseHeader(head)
    let left = sizeBytes
    const data = async function* (): AsyncIterable<Buffer> {
      while (left > 0) {
        const piece = await reader.take(left)
        if (piece.length === 0) throw damaged(`${path} is cut off`)
        left -= piece.length
        yield piece
      }
    }
    yield { path, sizeBytes, data: data() }
    for await (const _rest of data());
    await reader.read(padding(sizeBytes).length)
  }
}

function parseHeader(head: Buffer): { path: string; sizeBytes: number } {
  if (!hasSoundSum(head)) throw damaged('a header in it is wrong')
  const path = textOf(head.subarray(0, 100))
  const type = String.fromCharCode(head[156] ?? 0)
  if (type !== '0' && type !== '\0') throw damaged(`${path} is no plain file`)
  const sizeBytes = sizeOf(head)
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw damaged(`${path} has no size`)
  return { path, sizeBytes }
}

export function damaged(why: string): HolmError {
  return new HolmError('HOLM_BASE_INVALID', `this is no sound archive of an environment: ${why}`, {
    hint: 'Use a file that holm export wrote, whole.',
  })
}
