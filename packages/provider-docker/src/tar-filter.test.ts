import { readAll, createTar, parseTar } from '@holm/testkit'
import { expect, it } from 'vitest'
import { filterTar } from './tar-filter.ts'

const tar = createTar([
  { path: './dev/', mode: 0o755, data: Buffer.alloc(0) },
  { path: 'dev/console', mode: 0o600, data: Buffer.from('gone') },
  { path: 'etc/large', mode: 0o644, data: Buffer.alloc(70_000, 'x') },
])

async function* inPieces(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

it('leaves entries out, whatever the pieces it comes in', async () => {
  for (const size of [100, 512, 65_536]) {
    const out = await readAll(filterTar(inPieces(tar, size), (path) => path !== 'dev/console'))
    expect(parseTar(out).map(({ path }) => path)).toEqual(['./dev/', 'etc/large'])
    expect(parseTar(out)[1]?.data.equals(Buffer.alloc(70_000, 'x'))).toBe(true)
  }
})

it('changes no byte of what it keeps', async () => {
  expect((await readAll(filterTar(inPieces(tar, 1000), () => true))).equals(tar)).toBe(true)
})

it('sees long names, and drops them with their entry', async () => {
  const name = `dev/${'long/'.repeat(30)}file`
  const record = `${name.length + 10} path=${name}\n`
  const pax = createTar([{ path: 'PaxHeaders/file', mode: 0o644, data: Buffer.from(record) }])
  pax[156] = 'x'.charCodeAt(0)
  const seen: string[] = []
  const whole = Buffer.concat([pax.subarray(0, -1024), tar])
  const out = await readAll(filterTar(inPieces(whole, 700), (path) => seen.push(path) > 1))
  expect(seen).toEqual([name, 'dev/console', 'etc/large'])
  expect(parseTar(out).map(({ path }) => path)).toEqual(['dev/console', 'etc/large'])
})

it('notices the end of a stream that is cut off', async () => {
  await expect(readAll(filterTar(inPieces(tar.subarray(0, 40_000), 4096), () => true))).rejects.toThrow(
    'unexpected end',
  )
})
