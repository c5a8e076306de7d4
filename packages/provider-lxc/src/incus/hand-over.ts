import { Readable } from 'node:stream'
import { HolmError } from '@holm/core'

/** What `work` takes is what comes out, one by one: so that `work` can do something before and after. */
export async function* handOver(
  work: (take: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  let wake: () => void = () => undefined
  const stream = new Readable({ highWaterMark: 1024 * 1024, read: () => wake() })
  stream.on('close', () => wake())
  const take = async (chunk: Uint8Array): Promise<void> => {
    if (stream.destroyed) throw new HolmError('HOLM_INTERRUPTED', 'nobody reads any more')
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    if (!stream.push(chunk)) await promise
  }
  const working = work(take).then(
    () => stream.push(null),
    (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))),
  )
  try {
    yield* stream as AsyncIterable<Uint8Array>
  } finally {
    stream.destroy()
    await working
  }
}
