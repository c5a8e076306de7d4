/** The last bytes of a stream, however long it is. */
export interface Tail {
  /** Something at its beginning was left out. */
  readonly cut: boolean
  add(chunk: Buffer): void
  bytes(): Buffer
}

export function createTail(limit: number): Tail {
  let chunks: Buffer[] = []
  let length = 0
  let cut = false
  return {
    get cut() {
      return cut
    },
    add(chunk) {
      chunks.push(chunk)
      length += chunk.length
      // Only now and then: cutting at every chunk would copy all of it each time.
      if (length > limit * 2) shorten()
    },
    bytes() {
      shorten()
      return Buffer.concat(chunks)
    },
  }

  function shorten(): void {
    if (length <= limit) return
    cut = true
    chunks = [Buffer.concat(chunks).subarray(-limit)]
    length = limit
  }
}
