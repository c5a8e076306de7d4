/** Hands items of callbacks on to one reader, in order. */
export interface Queue<Item> extends AsyncIterable<Item> {
  push(item: Item): void
  /** What was pushed before is still read; then it ends, with the error if there is one. */
  end(error?: Error): void
}

export function createQueue<Item>(): Queue<Item> {
  const items: Item[] = []
  let ended: { readonly error: Error | undefined } | undefined
  let wake = Promise.withResolvers<void>()
  const ring = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  return {
    push(item) {
      items.push(item)
      ring()
    },
    end(error) {
      ended ??= { error }
      ring()
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const waiting = wake.promise
        yield* items.splice(0)
        if (items.length > 0) continue
        if (ended === undefined) await waiting
        else if (ended.error === undefined) return
        else throw ended.error
      }
    },
  }
}
