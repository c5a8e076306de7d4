import type { Readable } from 'node:stream'

const headerBytes = 8

/**
 * The engine sends stdout and stderr through one connection: frames of [stream, 0, 0, 0, length (32 bit, big endian)]
 * and payload. A frame's parts are handed on as they arrive, so that a frame of any size costs no memory.
 */
export interface Demuxer {
  /** Pieces of this chunk, in order. */
  feed(chunk: Uint8Array): readonly Piece[]
}

export interface Piece {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
}

export function createDemuxer(): Demuxer {
  const header = new Uint8Array(headerBytes)
  let headerFilled = 0
  let left = 0
  let stream: Piece['stream'] = 'stdout'
  return {
    feed(chunk) {
      const pieces: Piece[] = []
      let offset = 0
      while (offset < chunk.length) {
        if (left > 0) {
          const end = Math.min(offset + left, chunk.length)
          pieces.push({ stream, data: chunk.subarray(offset, end) })
          left -= end - offset
          offset = end
          continue
        }
        const wanted = Math.min(headerBytes - headerFilled, chunk.length - offset)
        header.set(chunk.subarray(offset, offset + wanted), headerFilled)
        headerFilled += wanted
        offset += wanted
        if (headerFilled < headerBytes) break
        headerFilled = 0
        stream = header[0] === 2 ? 'stderr' : 'stdout'
        left = new DataView(header.buffer).getUint32(4)
      }
      return pieces
    },
  }
}

/** The pieces of a multiplexed stream; with `raw` (a terminal) everything is stdout. */
export async function* demuxed(source: Readable, raw: boolean): AsyncIterable<Piece> {
  const demuxer = createDemuxer()
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    if (raw) yield { stream: 'stdout', data: chunk }
    else yield* demuxer.feed(chunk)
  }
}
