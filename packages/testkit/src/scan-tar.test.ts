import assert from 'node:assert/strict'
import { expect, it } from 'vitest'
import { scanTar } from './scan-tar.ts'
import { createTar } from './tar.ts'

async function* inPieces(tar: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < tar.length; at += size) yield tar.subarray(at, at + size)
}

const large = Buffer.alloc(100_000, 'x')
const tar = createTar([
  { path: './folder/', mode: 0o755, data: Buffer.alloc(0) },
  { path: './folder/large', mode: 0o644, data: large },
  { path: './folder/small', mode: 0o600, data: Buffer.from('small') },
])

it('reads entries from pieces of any size', async () => {
  for (const size of [1000, 512, 65_536]) {
    const entries = await scanTar(inPieces(tar, size))
    expect([...entries.keys()]).toEqual(['folder', 'folder/large', 'folder/small'])
    expect(entries.get('folder/large')).toMatchObject({ size: 100_000, data: undefined, mode: 0o644 })
    expect(entries.get('folder/small')?.data?.toString()).toBe('small')
  }
})

it('notices an archive that is cut off', async () => {
  await expect(scanTar(inPieces(tar.subarray(0, 50_000), 4096))).rejects.toThrow(assert.AssertionError)
})
