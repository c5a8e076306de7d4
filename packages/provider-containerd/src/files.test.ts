import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTar } from '@holm/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openInside } from './open-inside.ts'
import { resolveInside } from './rootfs-path.ts'
import { untar } from './untar.ts'

/** The archives of these tests have root's files. */
const isRoot = process.getuid?.() === 0

describe('files of an environment', () => {
  let top: string
  let root: string

  beforeEach(async () => {
    top = await mkdtemp(path.join(tmpdir(), 'holm-inside-'))
    root = path.join(top, 'root')
    await mkdir(path.join(root, 'real/deep'), { recursive: true })
    await mkdir(path.join(top, 'outside'))
    await writeFile(path.join(top, 'outside/secret'), 'secret')
    await symlink('/real', path.join(root, 'absolute'))
    await symlink(path.join(top, 'outside'), path.join(root, 'out'))
    await symlink('../../../../../..', path.join(root, 'real/up'))
    await symlink('loop', path.join(root, 'loop'))
  })

  afterEach(() => rm(top, { recursive: true, force: true }))

  it('are found as a program inside would', async () => {
    expect(await resolveInside(root, '/absolute/deep')).toBe(path.join(root, 'real/deep'))
    expect(await resolveInside(root, '/real/up/real')).toBe(path.join(root, 'real'))
    expect(await resolveInside(root, '/out', 'keep')).toBe(path.join(root, 'out'))
    for (const inner of ['/out/secret', '/loop', '/none', '/real/deep/none'])
      expect(await resolveInside(root, inner)).toBeUndefined()
  })

  it('are opened inside only', async () => {
    const opened = await openInside(root, '/real/up/absolute/../absolute/deep')
    await writeFile(`${opened?.path}/file`, 'x')
    await opened?.close()
    expect(await readdir(path.join(root, 'real/deep'))).toEqual(['file'])
    expect(await openInside(root, '/out')).toBeUndefined()
    await expect(openInside(root, '/loop')).rejects.toMatchObject({ code: 'ELOOP' })
  })

  it('are unpacked inside only, whatever links and names say', async (ctx) => {
    if (!isRoot) ctx.skip('only root gives files to root')
    const tar = createTar([
      { path: '../../../escaped', mode: 0o644, data: Buffer.from('1') },
      { path: 'absolute/through-a-link', mode: 0o600, data: Buffer.from('2') },
    ])
    await untar({ root, folder: '/', tar: one(tar) })
    expect(await readFile(path.join(root, 'escaped'), 'utf8')).toBe('1')
    expect(await readFile(path.join(root, 'real/through-a-link'), 'utf8')).toBe('2')
    expect((await readdir(top)).toSorted()).toEqual(['outside', 'root'])
    const bad = createTar([{ path: 'out/over', mode: 0o644, data: Buffer.from('3') }])
    await untar({ root, folder: '/', tar: one(bad) }).catch(() => undefined)
    expect(await readdir(path.join(top, 'outside'))).toEqual(['secret'])
  })

  it('says when the archive is cut off', async () => {
    const tar = createTar([{ path: 'a', mode: 0o644, data: Buffer.alloc(2000) }])
    await expect(untar({ root, folder: '/', tar: one(tar.subarray(0, 1000)) })).rejects.toThrow()
  })
})

async function* one(data: Uint8Array): AsyncIterable<Uint8Array> {
  yield data
}
