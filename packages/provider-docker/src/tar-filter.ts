const block = 512

/** Entries of these types describe the next one: its long name, its large numbers. */
const describing = new Set(['x', 'L', 'K'])

/**
 * Passes a tar stream on, without the entries that `keep` refuses by path (without "./" in front and "/" behind). Every
 * other byte stays as it is. A stream that is cut off ends with an error.
 */
export async function* filterTar(
  source: AsyncIterable<Uint8Array>,
  keep: (path: string) => boolean,
): AsyncIterable<Uint8Array> {
  const reader = createReader(source)
  let held: Buffer[] = []
  let long: string | undefined
  for (;;) {
    const head = await reader.read(block)
    if (head.length < block || head.every((byte) => byte === 0)) {
      yield head
      break
    }
    const size = Math.ceil(sizeOf(head) / block) * block
    const type = String.fromCharCode(head[156] ?? 0)
    if (describing.has(type)) {
      const data = await reader.read(size)
      held.push(head, data)
      long = longName(type, data.subarray(0, sizeOf(head))) ?? long
      continue
    }
    const kept = type === 'g' || keep(normalize(long ?? nameOf(head)))
    if (kept) yield* [...held, head]
    for await (const piece of reader.pieces(size)) if (kept) yield piece
    held = []
    long = undefined
  }
  yield* reader.rest()
}

interface Reader {
  /** As many bytes as asked for, fewer at the end. */
  read(size: number): Promise<Buffer>
  pieces(size: number): AsyncIterable<Buffer>
  rest(): AsyncIterable<Buffer>
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
  const take = (size: number): Buffer => {
    const taken = held.subarray(0, size)
    held = held.subarray(taken.length)
    return taken
  }
  return {
    read: async (size) => {
      while (held.length < size) if (!(await pull())) break
      return take(size)
    },
    pieces: async function* (size) {
      for (let left = size; left > 0;) {
        if (held.length === 0 && !(await pull())) throw new Error('unexpected end of the tar stream')
        const piece = take(left)
        left -= piece.length
        yield piece
      }
    },
    rest: async function* () {
      if (held.length > 0) yield take(held.length)
      while (await pull()) yield take(held.length)
    },
  }
}

/** Octal, or base 256 where the number is large. */
function sizeOf(head: Buffer): number {
  if (((head[124] ?? 0) & 0x80) !== 0) return head.readUIntBE(130, 6)
  return Number.parseInt(textOf(head.subarray(124, 136)).trim(), 8) || 0
}

function nameOf(head: Buffer): string {
  const posix = head.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = posix ? textOf(head.subarray(345, 500)) : ''
  const name = textOf(head.subarray(0, 100))
  return prefix === '' ? name : `${prefix}/${name}`
}

function longName(type: string, data: Buffer): string | undefined {
  if (type === 'L') return textOf(data)
  return type === 'x' ? /(?:^|\n)\d+ path=(.*)\n/.exec(data.toString('utf8'))?.[1] : undefined
}

function normalize(path: string): string {
  return path.replace(/^(?:\.?\/)+/, '').replace(/\/$/, '')
}

function textOf(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? field.length : end)
}
