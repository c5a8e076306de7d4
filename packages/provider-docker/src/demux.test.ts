import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createDemuxer, demuxed } from './demux.ts'

function frame(stream: 1 | 2, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(payload.length, 4)
  return Buffer.concat([header, payload])
}

function split(data: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(data.length / size) }, (_, index) =>
    data.subarray(index * size, (index + 1) * size),
  )
}

function feedAll(chunks: readonly Buffer[]): { stdout: Buffer; stderr: Buffer } {
  const demuxer = createDemuxer()
  const pieces = chunks.flatMap((chunk) => demuxer.feed(chunk))
  const of = (stream: string): Buffer =>
    Buffer.concat(pieces.filter((piece) => piece.stream === stream).map(({ data }) => data))
  return { stdout: of('stdout'), stderr: of('stderr') }
}

const bytes = Buffer.from(Array.from({ length: 700 }, (_, index) => index % 256))
const wire = Buffer.concat([
  frame(1, bytes),
  frame(2, Buffer.from('err')),
  frame(1, Buffer.alloc(0)),
  frame(1, bytes),
])

describe('createDemuxer', () => {
  it.each([1, 2, 7, 8, 9, 64, 10_000])('is byte exact when the stream comes in chunks of %i', (size) => {
    const { stdout, stderr } = feedAll(split(wire, size))
    expect(stdout.equals(Buffer.concat([bytes, bytes]))).toBe(true)
    expect(stderr.toString()).toBe('err')
  })
})

describe('demuxed', () => {
  it('passes a terminal’s bytes on as they are', async () => {
    const pieces = []
    for await (const piece of demuxed(Readable.from([wire]), true)) pieces.push(piece)
    expect(pieces).toEqual([{ stream: 'stdout', data: wire }])
  })
})
