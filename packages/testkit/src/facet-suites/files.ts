import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { requireFacet } from '@holm/core'
import { readAll } from '../collect.ts'
import { assertBytes, assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { createTar, parseTar, type TarEntry } from '../tar.ts'

const unknown = 't-never-made'

export const filesSuite: Suite = {
  name: 'files',
  checks: {
    'what is put in arrives with content, mode and awkward names': async (kit) => {
      const name = await kit.start()
      const blob = randomBytes(300_000)
      await put(kit, name, [
        { path: 'folder/', mode: 0o755, data: Buffer.alloc(0) },
        { path: 'folder/blob', mode: 0o640, data: blob },
        { path: `folder/it's "ünï" name`, mode: 0o600, data: Buffer.from('awkward') },
        { path: 'run.sh', mode: 0o755, data: Buffer.from('#!/bin/sh\necho ran\n') },
      ])
      assertBytes((await kit.run(name, ['cat', 'folder/blob'])).stdout, blob, 'folder/blob')
      assert.equal(await kit.output(name, ['cat', `folder/it's "ünï" name`]), 'awkward')
      assert.equal(await kit.output(name, ['./run.sh']), 'ran\n')
      assert.match(await kit.output(name, ['ls', '-l', 'folder/blob']), /^-rw-r-----/)
    },
    'what is taken out is what was there': async (kit) => {
      const name = await kit.start()
      await kit.output(name, [
        'sh',
        '-c',
        'mkdir out; printf one > out/a; printf two > "out/b c"; chmod 600 out/a',
      ])
      const entries = await get(kit, name, `${kit.folder}/out`)
      const files = new Map(entries.map((entry) => [entry.path.replace(/\/$/, ''), entry]))
      assert.deepEqual([...files.keys()].sort(), ['out', 'out/a', 'out/b c'])
      assert.equal(files.get('out/a')?.data.toString(), 'one')
      assert.equal(files.get('out/a')?.mode, 0o600)
      assert.equal(files.get('out/b c')?.data.toString(), 'two')
    },
    'one file is taken out under its own name': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'printf alone > alone.txt'])
      const [entry, ...others] = await get(kit, name, `${kit.folder}/alone.txt`)
      assert.deepEqual(
        { path: entry?.path, text: entry?.data.toString(), others },
        { path: 'alone.txt', text: 'alone', others: [] },
      )
    },
    '4 MiB go in and come out unchanged': async (kit) => {
      const name = await kit.start()
      const data = randomBytes(4 * 1024 * 1024)
      await put(kit, name, [{ path: 'big', mode: 0o644, data }])
      const [entry] = await get(kit, name, `${kit.folder}/big`)
      assertBytes(entry?.data ?? Buffer.alloc(0), data, 'the file')
    },
    'it works while the environment is stopped': async (kit) => {
      const name = await kit.start()
      await kit.provider.stop(name, { graceMs: 2000 }, kit.context())
      await put(kit, name, [{ path: 'asleep', mode: 0o644, data: Buffer.from('put while stopped') }])
      assert.equal((await get(kit, name, `${kit.folder}/asleep`))[0]?.data.toString(), 'put while stopped')
      assert.equal((await kit.inspect(name)).status, 'stopped')
      await kit.provider.start(name, kit.context())
      assert.equal(await kit.output(name, ['cat', 'asleep']), 'put while stopped')
    },
    'what lies in a volume is taken out, running or stopped': async (kit) => {
      if (!kit.provider.traits.mounts.includes('volume')) kit.skip('traits.mounts has no volume')
      const target = '/mnt/some data'
      const volume = { type: 'volume', source: `${kit.name()}-vol`, target, readonly: false } as const
      const name = await kit.start({ mounts: [volume] })
      await kit.output(name, { argv: ['sh', '-c', 'printf kept > file'], cwd: target })
      const paths = async (): Promise<string[]> =>
        (await get(kit, name, target)).map(({ path }) => path.replace(/\/$/, '')).sort()
      assert.deepEqual(await paths(), ['some data', 'some data/file'])
      await kit.provider.stop(name, { graceMs: 2000 }, kit.context())
      assert.deepEqual(await paths(), ['some data', 'some data/file'])
    },
    'a path that is not there is refused': async (kit) => {
      await assertRejects(get(kit, await kit.shared(), '/nonexistent/file'), ['HOLM_USAGE'], 'get')
    },
    'an unknown name is refused': async (kit) => {
      await assertRejects(get(kit, unknown, '/etc'), ['HOLM_ENVIRONMENT_NOT_FOUND'], 'get')
      await assertRejects(put(kit, unknown, []), ['HOLM_ENVIRONMENT_NOT_FOUND'], 'put')
    },
  },
}

function put(kit: Kit, name: string, entries: readonly TarEntry[]): Promise<void> {
  const tar = createTar(entries)
  async function* inPieces(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < tar.length; at += 65_536) yield tar.subarray(at, at + 65_536)
  }
  return requireFacet(kit.provider, 'files').put(name, { path: kit.folder, tar: inPieces() }, kit.context())
}

async function get(kit: Kit, name: string, path: string): Promise<TarEntry[]> {
  return parseTar(await readAll(requireFacet(kit.provider, 'files').get(name, path, kit.context())))
}
