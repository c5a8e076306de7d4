import { Transform } from 'node:stream'
import type { TransformCallback } from 'node:stream'

/** How much may be said before the mark, bytes: a login shell's greeting, warnings of ssh. */
const maximum = 1024 * 1024

/** Lets through what follows the line that begins with the nonce. */
export interface Marked {
  readonly stream: Transform
  /** What stood behind the nonce; undefined when the stream ended without it. */
  readonly found: Promise<string | undefined>
  /** What was said before, for errors. */
  noise(): string
}

export function createMarked(nonce: string): Marked {
  const { promise: found, resolve } = Promise.withResolvers<string | undefined>()
  let held: Buffer | undefined = Buffer.alloc(0)
  const transform = (chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void => {
    if (held === undefined) return done(null, chunk)
    held = Buffer.concat([held, chunk])
    const split = splitAtMark(held, nonce)
    if (split === undefined) {
      if (held.length > maximum) held = held.subarray(held.length - maximum)
      return done()
    }
    held = undefined
    resolve(split.words)
    done(null, split.rest.length > 0 ? split.rest : undefined)
  }
  const stream = new Transform({
    transform,
    flush: (done) => {
      resolve(undefined)
      done()
    },
  })
  stream.once('close', () => resolve(undefined))
  return { stream, found, noise: () => held?.toString('utf8') ?? '' }
}

/** Pure. Undefined while the line is not whole. */
export function splitAtMark(
  bytes: Buffer,
  nonce: string,
): { readonly words: string; readonly rest: Buffer } | undefined {
  const start = bytes.indexOf(nonce)
  if (start < 0) return undefined
  const end = bytes.indexOf('\n', start)
  if (end < 0) return undefined
  const words = bytes
    .subarray(start + nonce.length, end)
    .toString('utf8')
    .trim()
  return { words, rest: bytes.subarray(end + 1) }
}
