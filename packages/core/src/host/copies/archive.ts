import { HolmError } from '../../errors.ts'

/** The outer form of an exported environment: a plain ustar archive of a few named parts, in a fixed order. */

const block = 512

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
  head.write(' '.repeat(8), 148)
  head.write('0', 156)
  head.write('ustar\x0000', 257)
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return head
}

export function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((block - (sizeBytes % block)) % block)
}

export const archiveEnd = Buffer.alloc(2 * block)

/** The parts of an archive, one after another. HOLM_BASE_INVALID for what is no such archive, or ends too early. */
export async function* readParts(source: AsyncIterable<Uint8Array>): AsyncIterable<ReadPart> {
  const reader = createReader(source)
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
  const written = Number.parseInt(head.toString('latin1', 148, 156), 8)
  const copy = Buffer.from(head)
  copy.write(' '.repeat(8), 148)
  const sum = copy.reduce((total, byte) => total + byte, 0)
  if (written !== sum) throw damaged('a header in it is wrong')
  const path = head.toString('utf8', 0, Math.max(0, head.subarray(0, 100).indexOf(0)))
  const type = String.fromCharCode(head[156] ?? 0)
  if (type !== '0' && type !== '\0') throw damaged(`${path} is no plain file`)
  const large = ((head[124] ?? 0) & 0x80) !== 0
  const sizeBytes = large
    ? Number(head.readBigUInt64BE(128))
    : Number.parseInt(head.toString('latin1', 124, 136), 8)
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw damaged(`${path} has no size`)
  return { path, sizeBytes }
}

export function damaged(why: string): HolmError {
  return new HolmError('HOLM_BASE_INVALID', `this is no sound archive of an environment: ${why}`, {
    hint: 'Use a file that holm export wrote, whole.',
  })
}

interface Reader {
  /** As many bytes as asked for, fewer at the end. */
  read(size: number): Promise<Buffer>
  /** Up to so many bytes, as they come. */
  take(size: number): Promise<Buffer>
}

function createReader(source: AsyncIterable<Uint8Array>): Reader {
  const iterator = source[Symbol.asyncIterator]()
  let held: Buffer = Buffer.alloc(0)
  const pull = async (): Promise<boolean> => {
    const { value, done } = await iterator.next()
    if (done === true) return false
    const next = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    held = held.length === 0 ? next : Buffer.concat([held, next])
    return true
  }
  const cut = (size: number): Buffer => {
    const taken = held.subarray(0, size)
    held = held.subarray(taken.length)
    return taken
  }
  return {
    read: async (size) => {
      while (held.length < size) if (!(await pull())) break
      return cut(size)
    },
    take: async (size) => {
      if (held.length === 0) await pull()
      return cut(size)
    },
  }
}
