/** A stream that is read in pieces of wished sizes. */
export interface BlockReader {
  /** As many bytes as asked for, fewer at the end. */
  read(size: number): Promise<Buffer>
  /** Up to so many bytes, as they come; none at the end. */
  take(size: number): Promise<Buffer>
  /** All that is left. */
  rest(): AsyncIterable<Buffer>
}

export function createBlockReader(source: AsyncIterable<Uint8Array>): BlockReader {
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
      while (held.length === 0) if (!(await pull())) break
      return cut(size)
    },
    rest: async function* () {
      do yield cut(held.length)
      while (await pull())
    },
  }
}
