import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTar, parseTar } from '@holm/testkit'
import { expect, it } from 'vitest'
import { parseShifts, rewriteTar } from './tar-strip.ts'

async function rewrite(archive: Uint8Array, pieces: number): Promise<Buffer> {
  async function* inPieces(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < archive.length; at += pieces) yield archive.subarray(at, at + pieces)
  }
  const chunks: Uint8Array[] = []
  const keep = (path: string): boolean => !path.startsWith('dev/')
  for await (const chunk of rewriteTar(inPieces(), { prefix: 'b/rootfs', shifts: [], keep }))
    chunks.push(chunk)
  return Buffer.concat(chunks)
}

const long = `${'d'.repeat(60)}/ünï "x"`
const archive = createTar([
  { path: 'b/index.yaml', mode: 0o644, data: Buffer.from('left out') },
  { path: 'b/rootfs/', mode: 0o755, data: Buffer.alloc(0) },
  { path: 'b/rootfs/etc/hosts', mode: 0o640, data: Buffer.from('hosts') },
  { path: 'b/rootfs/dev/null', mode: 0o644, data: Buffer.alloc(700) },
  { path: `b/rootfs/${long}`, mode: 0o600, data: Buffer.alloc(513, 7) },
])

it.each([1, 511, 512, 100_000])(
  'keeps one folder of an archive that comes in pieces of %i bytes',
  async (pieces) => {
    const entries = parseTar(await rewrite(archive, pieces))
    expect(entries.map(({ path }) => path.replace(/\/$/, ''))).toEqual(['.', 'etc/hosts', long])
    expect(entries[1]).toMatchObject({ mode: 0o640, data: Buffer.from('hosts') })
    expect(entries[2]?.data).toEqual(Buffer.alloc(513, 7))
  },
)

it.each(['gnu', 'pax'])('takes long names, links and hard links of the format %s', async (format) => {
  const folder = mkdtempSync(join(tmpdir(), 'holm-tar-'))
  const deep = `b/rootfs/${'d'.repeat(90)}/${'e'.repeat(90)}`
  const script = `mkdir -p "$1" && cd "$1" && echo x > file && ln file twin && ln -s ../../target link && cd "$2" && tar -c --format=${format} -f - b`
  const made = spawnSync('sh', ['-c', script, 'sh', join(folder, deep), folder], { maxBuffer: 1e8 })
  const { stdout, status } = spawnSync('tar', ['-tvf', '-'], { input: await rewrite(made.stdout, 1000) })
  rmSync(folder, { recursive: true })
  const below = deep.slice('b/rootfs/'.length)
  expect(status).toBe(0)
  expect(String(stdout)).toMatch(new RegExp(` ${below}/(file|twin) link to ${below}/(file|twin)\\n`))
  expect(String(stdout)).toContain(` ${below}/link -> ../../target\n`)
  expect(String(stdout)).not.toContain('rootfs')
})

it('an archive that breaks off is an error', async () => {
  const end = archive.length - 1024 - 600
  await expect(rewrite(archive.subarray(0, end), 512)).rejects.toThrow('in the middle')
})

it('turns ids of the disk into those inside', () => {
  const text =
    '[{"Isuid":true,"Isgid":false,"Hostid":1000000,"Nsid":0,"Maprange":65536},{"Isuid":false,"Isgid":true,"Hostid":5,"Nsid":0,"Maprange":1}]'
  expect(parseShifts(text)).toEqual([
    { kind: 'uid', inside: 0, outside: 1_000_000, count: 65_536 },
    { kind: 'gid', inside: 0, outside: 5, count: 1 },
  ])
  expect(parseShifts('[]')).toEqual([])
})
