import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRunner } from '../runner.ts'
import { saveEntry } from './entries.ts'
import { resolveBase } from './resolve.ts'
import type { ResolveContext, ResolveFolders } from './resolve.ts'

let root = ''
let folders: ResolveFolders
let digests: Record<string, string>

const images = ['image', 'build'] as const
const files = ['host', 'rootfs', 'folder'] as const
const emptyTar = Buffer.alloc(1024)
const sha256 = createHash('sha256').update(emptyTar).digest('hex')

const context = (accepts: ResolveContext['accepts']): ResolveContext => ({ accepts, directory: root })

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holm-resolve-'))
  digests = {}
  folders = {
    entries: join(root, 'entries'),
    cache: join(root, 'cache'),
    home: root,
    runner: createRunner({ env: process.env }),
    digestOf: async (reference) => digests[reference],
  }
  await writeFile(join(root, 'my.tar.gz'), emptyTar)
  await mkdir(join(root, 'tree/bin'), { recursive: true })
  await symlink('/bin/busybox', join(root, 'tree/bin/sh'))
})

afterEach(() => rm(root, { recursive: true, force: true }))

const addTar = (name: string): Promise<void> =>
  saveEntry(folders.entries, {
    version: 1,
    name,
    rootfs: { path: join(root, 'my.tar.gz'), sha256, sizeBytes: 3 },
    addedAt: '2026-01-01T00:00:00.000Z',
  })

describe('a name', () => {
  it('of the catalogue is its image, for who takes images', async () => {
    expect(await resolveBase('debian-12', context(images), folders)).toEqual({
      kind: 'image',
      reference: 'debian:12',
    })
    expect(await resolveBase('ubuntu', context(images), folders)).toEqual({
      kind: 'image',
      reference: 'ubuntu:24.04',
    })
  })

  it('of the catalogue names the digest recorded at first use', async () => {
    digests['debian:12'] = 'sha256:abc'
    const base = await resolveBase('debian-12', context(images), folders)
    expect(base).toEqual({ kind: 'image', reference: 'debian:12', digest: 'sha256:abc' })
  })

  it('that is only an image names the ways out where images are not taken', async () => {
    await expect(resolveBase('debian-12', context(files), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
      hint: 'Make it available as files with one of: holm base build debian-12, holm base add debian-12 <rootfs.tar>, --base host.',
    })
  })

  it('that nobody knows is refused with the names there are', async () => {
    await expect(resolveBase('debain', context(images), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
      message: 'no base is named "debain"',
      hint: expect.stringContaining('debian-12, debian-13'),
    })
  })

  it('"host" is for those who take it', async () => {
    expect(await resolveBase('host', context(files), folders)).toEqual({ kind: 'host' })
    await expect(resolveBase('host', context(images), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
    })
  })
})

describe('a local entry', () => {
  it.each(['debian-12', 'debian:12', 'debian:bookworm-slim', 'docker.io/library/debian:bookworm'])(
    'of debian-12 answers %s, also before an image',
    async (request) => {
      await addTar('debian-12')
      const expected = { kind: 'rootfs', name: 'debian-12', path: join(root, 'my.tar.gz'), sha256 }
      expect(await resolveBase(request, context(files), folders)).toEqual(expected)
      expect(await resolveBase(request, context(['image', 'rootfs']), folders)).toEqual(expected)
      expect(await resolveBase({ image: request }, context(files), folders)).toEqual(expected)
    },
  )

  it('may stand for any image reference', async () => {
    await addTar('python:3.12-slim')
    expect(await resolveBase({ image: 'python:3.12-slim' }, context(files), folders)).toMatchObject({
      kind: 'rootfs',
    })
    expect(await resolveBase('python:3.12-slim', context(images), folders)).toEqual({
      kind: 'image',
      reference: 'python:3.12-slim',
    })
  })

  it('never answers a reference with a digest', async () => {
    await addTar('debian-12')
    const reference = `debian:12@sha256:${'0'.repeat(64)}`
    expect(await resolveBase(reference, context(['rootfs', 'image']), folders)).toEqual({
      kind: 'image',
      reference,
    })
  })

  it('whose file is gone says so', async () => {
    await addTar('mine')
    await rm(join(root, 'my.tar.gz'))
    await expect(resolveBase('mine', context(files), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining('my.tar.gz cannot be read (ENOENT)'),
    })
  })

  it('whose file changed has the checksum of what is there now', async () => {
    await addTar('mine')
    await resolveBase('mine', context(files), folders)
    const two = Buffer.alloc(2048)
    await writeFile(join(root, 'my.tar.gz'), two)
    await utimes(join(root, 'my.tar.gz'), 1, 1)
    const changed = createHash('sha256').update(two).digest('hex')
    expect(await resolveBase('mine', context(files), folders)).toMatchObject({ sha256: changed })
    await writeFile(join(root, 'my.tar.gz'), 'no tar')
    await expect(resolveBase('mine', context(files), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining('it is cut off') as string,
    })
  })

  it('of files only is refused where only images are taken', async () => {
    await addTar('mine')
    await expect(resolveBase('mine', context(images), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
      message: expect.stringContaining('comes as root filesystem tarballs'),
    })
  })
})

describe('a path', () => {
  it.each(['./my.tar.gz', 'my.tar.gz', '~/my.tar.gz'])('to a tarball: %s', async (request) => {
    const base = await resolveBase(request, context(files), folders)
    expect(base).toEqual({ kind: 'rootfs', name: 'my', path: join(root, 'my.tar.gz'), sha256 })
  })

  it('to a folder, whose shell may be a link that leads nowhere on this machine', async () => {
    const base = await resolveBase('./tree', context(files), folders)
    expect(base).toEqual({ kind: 'folder', name: 'tree', path: join(root, 'tree') })
  })

  it('to a folder without a shell is refused', async () => {
    await expect(resolveBase({ folder: 'tree/bin' }, context(files), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
    })
  })

  it('with another checksum than the blueprint says is refused', async () => {
    const request = { rootfs: 'my.tar.gz', sha256: 'f'.repeat(64) }
    await expect(resolveBase(request, context(files), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
    })
    expect(await resolveBase({ ...request, sha256 }, context(files), folders)).toMatchObject({ sha256 })
  })
})

describe('an object', () => {
  it('to a disk is known by its ending or by name, and its format by its first bytes', async () => {
    await writeFile(join(root, 'cloud.qcow2'), Buffer.from('514649fb00000003', 'hex'))
    await writeFile(join(root, 'plain.img'), Buffer.alloc(512))
    const qcow2 = await resolveBase('./cloud.qcow2', context(['disk']), folders)
    expect(qcow2).toMatchObject({
      kind: 'disk',
      name: 'cloud',
      path: join(root, 'cloud.qcow2'),
      format: 'qcow2',
    })
    const raw = await resolveBase({ disk: 'plain.img' }, context(['disk']), folders)
    expect(raw).toMatchObject({ kind: 'disk', name: 'plain', format: 'raw' })
    await expect(resolveBase('./cloud.qcow2', context(files), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
      message: expect.stringContaining('disk images') as string,
    })
    const wrong = { disk: 'plain.img', sha256: '0'.repeat(64) }
    await expect(resolveBase(wrong, context(['disk']), folders)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
    })
  })

  it('with a plain word as image means that image', async () => {
    expect(await resolveBase({ image: 'redis' }, context(images), folders)).toEqual({
      kind: 'image',
      reference: 'redis',
    })
  })

  it('keeps the digest the blueprint names', async () => {
    const request = { image: 'debian:12', digest: 'sha256:def' }
    expect(await resolveBase(request, context(images), folders)).toEqual({
      kind: 'image',
      reference: 'debian:12',
      digest: 'sha256:def',
    })
  })

  it('with a Dockerfile becomes absolute paths', async () => {
    const request = { dockerfile: 'Dockerfile', context: 'sub', args: { A: '1' }, target: 'dev' }
    expect(await resolveBase(request, context(images), folders)).toEqual({
      kind: 'build',
      context: join(root, 'sub'),
      dockerfile: join(root, 'Dockerfile'),
      args: { A: '1' },
      target: 'dev',
    })
  })
})
