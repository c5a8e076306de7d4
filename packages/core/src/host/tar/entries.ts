import { createBlockReader, type BlockReader } from './blocks.ts'
import { block, hasSoundSum, sizeOf, textOf } from './header.ts'

/** One entry of a tar stream, as whoever unpacks it will take it. */
export interface TarEntry {
  /** As it stands there: "./usr/bin/sh". */
  readonly path: string
  /** Of a symbolic or hard link. */
  readonly target: string
  /** The letter of the header: '0' file, '1' hard link, '2' symbolic link, '5' folder, '3' and '4' devices, '6' FIFO. */
  readonly type: string
}

/** Entries of these types describe the next one, or all: long names, large numbers. */
const describing = new Set(['x', 'L', 'K', 'g'])
const largestDescription = 1024 * 1024

/** Throws an Error with a sentence. */
export class TarDamage extends Error {}

interface Words {
  path?: string
  target?: string
  size?: number
}

/** Passes a tar stream on, byte for byte, and tells `look` of each entry before its content. What is no sound tar is a TarDamage. */
export async function* watchTar(
  source: AsyncIterable<Uint8Array>,
  look: (entry: TarEntry) => void,
): AsyncIterable<Buffer> {
  const reader = createBlockReader(source)
  let words: Words = {}
  for (;;) {
    const head = await readBlock(reader)
    yield head
    if (head.every((byte) => byte === 0)) break
    const { type, size } = parseHead(head, words)
    if (describing.has(type)) {
      const data = await readDescription(reader, size)
      yield data
      words = addWords(words, type, data.subarray(0, size))
      continue
    }
    look({ path: words.path ?? nameOf(head), target: words.target ?? textOf(head.subarray(157, 257)), type })
    words = {}
    if (type === 'S') yield* sparseMap(reader, head)
    yield* pass(reader, padded(size))
  }
  yield* reader.rest()
}

function parseHead(head: Buffer, words: Words): { readonly type: string; readonly size: number } {
  if (!hasSoundSum(head)) throw new TarDamage('a header in it is wrong')
  const size = words.size ?? sizeOf(head)
  if (!Number.isSafeInteger(size) || size < 0) throw new TarDamage('an entry in it has no size')
  return { type: String.fromCharCode(head[156] ?? 0).replace('\0', '0'), size }
}

async function readDescription(reader: BlockReader, size: number): Promise<Buffer> {
  if (size > largestDescription) throw new TarDamage('a name in it is too long')
  return readAll(reader, padded(size))
}

function padded(size: number): number {
  return Math.ceil(size / block) * block
}

async function readBlock(reader: BlockReader): Promise<Buffer> {
  const head = await reader.read(block)
  if (head.length === block) return head
  throw new TarDamage(head.length === 0 ? 'it ends before its end mark' : 'it is cut off')
}

async function readAll(reader: BlockReader, size: number): Promise<Buffer> {
  const data = await reader.read(size)
  if (data.length < size) throw new TarDamage('it is cut off')
  return data
}

async function* pass(reader: BlockReader, size: number): AsyncIterable<Buffer> {
  for (let left = size; left > 0;) {
    const piece = await reader.take(left)
    if (piece.length === 0) throw new TarDamage('it is cut off')
    left -= piece.length
    yield piece
  }
}

/** The old form of GNU tar: where the pieces lie goes on in blocks of its own. */
async function* sparseMap(reader: BlockReader, head: Buffer): AsyncIterable<Buffer> {
  for (let more = head[482] !== 0; more;) {
    const next = await readBlock(reader)
    yield next
    more = next[504] !== 0
  }
}

function nameOf(head: Buffer): string {
  const posix = head.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = posix ? textOf(head.subarray(345, 500)) : ''
  const name = textOf(head.subarray(0, 100))
  return prefix === '' ? name : `${prefix}/${name}`
}

function addWords(words: Words, type: string, data: Buffer): Words {
  if (type === 'L') return merge(words, { path: textOf(data) })
  if (type === 'K') return merge(words, { target: textOf(data) })
  const records = parseRecords(data)
  const path = records.get('GNU.sparse.name') ?? records.get('path')
  const target = records.get('linkpath')
  const size = records.get('size')
  const said: Words = {
    ...(path !== undefined && { path }),
    ...(target !== undefined && { target }),
    ...(size !== undefined && { size: Number(size) }),
  }
  if (type !== 'g') return merge(words, said)
  if (Object.keys(said).length > 0) throw new TarDamage('a header in it names all its entries')
  return words
}

/** Said twice, it would be for each unpacker to choose. */
function merge(words: Words, more: Words): Words {
  const twice = Object.keys(more).find((key) => key in words)
  if (twice !== undefined) throw new TarDamage(`an entry in it has two of ${twice}`)
  return { ...words, ...more }
}

/** "<length> <key>=<value>\n", one after another. */
function parseRecords(data: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at)
    const length = Number(data.toString('latin1', at, space))
    const equals = data.indexOf(0x3d, space)
    const end = at + length
    if (
      space < 0 ||
      !(length > 0) ||
      end > data.length ||
      equals < 0 ||
      equals >= end ||
      data[end - 1] !== 0x0a
    )
      throw new TarDamage('an extended header in it is wrong')
    records.set(data.toString('utf8', space + 1, equals), data.toString('utf8', equals + 1, end - 1))
    at = end
  }
  return records
}
