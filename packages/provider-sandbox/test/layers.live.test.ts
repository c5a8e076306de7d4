import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Provider } from '@holm/core'
import { collect, createSpec, createTestContext } from '@holm/testkit'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { createSubject, loadRootfs, runner, whyNot } from './subject.ts'

const rootfs = loadRootfs()
const unavailable = (await whyNot('bwrap')) ?? ('reason' in rootfs ? rootfs.reason : undefined)
const cache = await mkdtemp(path.join(tmpdir(), 'holm-layers-cache-'))
afterAll(() => rm(cache, { recursive: true, force: true }))

const ctx = () => createTestContext({ runner })

async function output(provider: Provider, name: string, script: string): Promise<string> {
  const { code, text, errorText } = await collect(
    await provider.exec(name, { argv: ['sh', '-c', script], cwd: '/root' }, ctx()),
  )
  if (code !== 0) throw new Error(`${script}: ${text}${errorText}`)
  return text
}

interface Stage {
  readonly provider: Provider
  readonly clone: (from: string, to: string) => Promise<void>
  readonly start: (name: string) => Promise<void>
  readonly folder: (name: string) => string
  readonly layers: string
}

async function setStage(): Promise<Stage> {
  const subject = await createSubject('bwrap', cache)
  const { provider } = subject
  onTestFinished(async () => {
    for (const { name } of await provider.list(ctx())) await provider.remove(name, { volumes: true }, ctx())
    await subject.dispose()
  })
  const base = rootfs.base
  if (base === undefined) throw new Error('no base')
  await provider.create(createSpec({ name: 'origin', base }), ctx())
  await provider.start('origin', ctx())
  const data = path.join(subject.folder, 'data/test')
  return {
    provider,
    clone: async (from, to) =>
      void (await provider.clone?.clone(from, createSpec({ name: to, base }), ctx())),
    start: async (name) => void (await provider.start(name, ctx())),
    folder: (name) => path.join(data, 'environments', name),
    layers: path.join(data, 'layers'),
  }
}

const stop = { graceMs: 1000 }

describe.skipIf(unavailable !== undefined)(`shared layers (${unavailable ?? 'bwrap'})`, () => {
  it('clones of a stopped environment copy nothing, and the last user takes the layer away', async () => {
    const { provider, clone, start, folder, layers } = await setStage()
    await output(provider, 'origin', 'head -c 8000000 /dev/zero > big; rm /etc/motd; printf one > file')
    await provider.stop('origin', stop, ctx())
    await Promise.all(['a', 'b', 'c'].map((name) => clone('origin', name)))
    expect(await readdir(layers)).toHaveLength(1)
    expect(existsSync(path.join(folder('a'), 'upper/root/big'))).toBe(false)
    await provider.remove('origin', { volumes: true }, ctx())
    await start('a')
    expect(await output(provider, 'a', 'wc -c < big; cat file; ls /etc/motd 2>/dev/null || true')).toBe(
      '8000000\none',
    )
    for (const name of ['a', 'b']) await provider.remove(name, { volumes: true }, ctx())
    expect(await readdir(layers)).toHaveLength(1)
    await provider.remove('c', { volumes: true }, ctx())
    expect(existsSync(layers)).toBe(false)
  })

  it('an origin goes on above its layer, and a clone of a clone has both', async () => {
    const { provider, clone, start } = await setStage()
    await output(provider, 'origin', 'printf one > file')
    await provider.stop('origin', stop, ctx())
    await clone('origin', 'a')
    await start('a')
    await output(provider, 'a', 'printf two >> file')
    await provider.stop('a', stop, ctx())
    await clone('a', 'b')
    for (const name of ['origin', 'b']) await start(name)
    expect(await output(provider, 'origin', 'cat file')).toBe('one')
    expect(await output(provider, 'b', 'cat file')).toBe('onetwo')
  })

  it('a snapshot keeps its layers, also when the environment is restored to it later', async () => {
    const { provider, clone, start, layers } = await setStage()
    await output(provider, 'origin', 'printf one > file')
    await provider.stop('origin', stop, ctx())
    await provider.snapshots?.create('origin', 'first', ctx())
    await start('origin')
    await output(provider, 'origin', 'printf two > file')
    await provider.stop('origin', stop, ctx())
    await clone('origin', 'a')
    await provider.remove('a', { volumes: true }, ctx())
    await provider.snapshots?.restore('origin', 'first', ctx())
    await start('origin')
    expect(await output(provider, 'origin', 'cat file')).toBe('one')
    await provider.remove('origin', { volumes: true }, ctx())
    expect(existsSync(layers)).toBe(false)
  })

  it('what was killed before the files were moved is ended by the next call', async () => {
    const { provider, clone, start, folder, layers } = await setStage()
    await output(provider, 'origin', 'printf one > file')
    await provider.stop('origin', stop, ctx())
    await clone('origin', 'a')
    const [layer = ''] = await readdir(layers)
    // As a holm leaves it that ends between the record and the move.
    await rmdir(path.join(folder('origin'), 'upper'))
    await rename(path.join(layers, layer), path.join(folder('origin'), 'upper'))
    await provider.remove('a', { volumes: true }, ctx())
    await start('origin')
    expect(await output(provider, 'origin', 'cat file')).toBe('one')
    expect(await readdir(layers)).toEqual([layer])
  })

  it('nothing is removed while a record cannot be read', async () => {
    const { provider, clone, folder, layers } = await setStage()
    await output(provider, 'origin', 'printf one > file')
    await provider.stop('origin', stop, ctx())
    await clone('origin', 'a')
    const record = await readFile(path.join(folder('origin'), 'record.json'))
    await writeFile(path.join(folder('origin'), 'record.json'), 'damaged')
    await provider.remove('a', { volumes: true }, ctx())
    expect(await readdir(layers)).toHaveLength(1)
    await writeFile(path.join(folder('origin'), 'record.json'), record)
  })
})
