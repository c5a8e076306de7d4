import assert from 'node:assert/strict'

/** One entry of a large archive. */
export interface ScannedEntry {
  /** Without "./" in front and "/" behind. */
  readonly path: string
  /** The archive's letter: "0" file, "1" hard link, "2" symbolic link, "5" folder, … */
  readonly type: string
  readonly mode: number
  readonly uid: number
  readonly size: number
  readonly target: string
  /** Content, of files up to 64 KiB. */
  readonly data: Buffer | undefined
}

const block = 512
const keptBytes = 65_536

/** Reads a ustar, GNU or pax archive to its end without holding it, by path. An archive that is cut off is an assertion error. */
export async function scanTar(tar: AsyncIterable<Uint8Array>): Promise<ReadonlyMap<string, ScannedEntry>> {
  const reader = createReader(tar)
  const entries = new Map<string, ScannedEntry>()
  let next: { path?: string; target?: string } = {}
  for (;;) {
    const head = await reader.read(block)
    if (head.every((byte) => byte === 0)) break
    assert.equal(head.length, block, 'a header of the archive is whole')
    const size = numberAt(head, 124, 12)
    const type = String.fromCharCode(head[156] ?? 0).replace('\0', '0')
    const small = size <= keptBytes
    const data = small ? await reader.read(size) : undefined
    await reader.skip((small ? 0 : size) + ((block - (size % block)) % block))
    const long = longNames(type, data)
    if (long) Object.assign(next, long)
    else if (type !== 'g') {
      const entry = { ...entryOf(head, { type, size, data }), ...next }
      const path = entry.path.replace(/^\.\//, '').replace(/\/$/, '')
      entries.set(path, { ...entry, path })
      next = {}
    }
  }
  await assertEnd(reader)
  return entries
}

/** Names that stand before the entry they belong to. */
function longNames(
  type: string,
  data: Buffer = Buffer.alloc(0),
): { path?: string; target?: string } | undefined {
  if (type === 'L') return { path: textOf(data) }
  if (type === 'K') return { target: textOf(data) }
  return type === 'x' ? paxOf(data) : undefined
}

async function assertEnd(reader: Reader): Promise<void> {
  for await (const rest of reader.rest()) {
    const empty = rest.every((byte) => byte === 0)
    assert.ok(empty, 'nothing follows the end of the archive')
  }
}

interface Reader {
  /** As many bytes as asked for, fewer at the end. */
  read(size: number): Promise<Buffer>
  skip(size: number): Promise<void>
  rest(): AsyncIterable<Buffer>
}

function createReader(source: AsyncIterable<Uint8Array>): Reader {
  const iterator = source[Symbol.asyncIterator]()
  let held = Buffer.alloc(0)
  const pull = async (): Promise<boolean> => {
    const { value, done } = await iterator.next()
    if (done === true) return false
    held = held.length === 0 ? Buffer.from(value) : Buffer.concat([held, value])
    return true
  }
  const take = (size: number): Buffer => {
    const taken = held.subarray(0, size)
    held = held.subarray(taken.length)
    return taken
  }
  return {
    read: async (size) => {
      while (held.length < size && (await pull()));
      return take(size)
    },
    skip: async (size) => {
      let left = size - take(size).length
      while (left > 0) {
        assert.ok(await pull(), 'the content of the archive is whole')
        left -= take(left).length
      }
    },
    rest: async function* () {
      do yield take(held.length)
      while (await pull())
    },
  }
}

function entryOf(
  head: Buffer,
  { type, size, data }: { readonly type: string; readonly size: number; readonly data: Buffer | undefined },
): ScannedEntry {
  const ustar = head.toString('latin1', 257, 265) === 'ustar\x0000'
  const prefix = ustar ? textOf(head.subarray(345, 500)) : ''
  const name = textOf(head.subarray(0, 100))
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    type,
    mode: numberAt(head, 100, 8) & 0o7777,
    uid: numberAt(head, 108, 8),
    size,
    target: textOf(head.subarray(157, 257)),
    data,
  }
}

function paxOf(data: Buffer): { path?: string; target?: string } {
  const text = data.toString('utf8')
  const path = /(?:^|\n)\d+ path=(.*)\n/.exec(text)?.[1]
  const target = /(?:^|\n)\d+ linkpath=(.*)\n/.exec(text)?.[1]
  return { ...(path === undefined ? {} : { path }), ...(target === undefined ? {} : { target }) }
}

/** Octal, or base 256 where the number is large. */
function numberAt(head: Buffer, from: number, length: number): number {
  if (((head[from] ?? 0) & 0x80) !== 0) return head.readUIntBE(from + length - 6, 6)
  return Number.parseInt(textOf(head.subarray(from, from + length)).trim(), 8) || 0
}

function textOf(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? field.length : end)
}
