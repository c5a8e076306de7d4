import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IncomingHttpHeaders, RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createRunner } from '../runner.ts'
import { createBaseStore } from './store.ts'
import type { BaseStore } from './store.ts'

const runner = createRunner({ env: process.env })
let root = ''
let tar = ''
let store: BaseStore
const servers: Server[] = []

const sha256Of = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

async function makeTar(file: string, entry: string): Promise<string> {
  await mkdir(join(root, 'made', entry, '..'), { recursive: true })
  await writeFile(join(root, 'made', entry), 'x'.repeat(200_000))
  await runner.run(['tar', '-cf', join(root, file), '-C', join(root, 'made'), '.'])
  await rm(join(root, 'made'), { recursive: true })
  return join(root, file)
}

/** Serves on loopback; returns its address. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holm-bases-'))
  tar = await makeTar('good.tar', 'usr/bin/sh')
  const paths = { data: join(root, 'data'), cache: join(root, 'cache') }
  store = createBaseStore({ paths, runner, env: process.env })
})

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await rm(root, { recursive: true, force: true })
})

describe('add', () => {
  it('registers a tarball where it lies, with its checksum, for the owner only', async () => {
    const entry = await store.add('mine', tar)
    expect(entry).toMatchObject({
      name: 'mine',
      origin: 'local',
      rootfs: { path: tar, sha256: await sha256Of(tar) },
    })
    expect((await stat(join(root, 'data/bases/mine.json'))).mode & 0o777).toBe(0o600)
    expect((await store.list()).map((base) => base.name)).toContain('mine')
  })

  it('a name of the catalogue appears once, as local, and keeps image and aliases', async () => {
    await store.add('debian-12', tar)
    const found = (await store.list()).filter((base) => base.name === 'debian-12')
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({
      origin: 'local',
      image: 'debian:12',
      aliases: expect.arrayContaining(['debian:bookworm']),
    })
  })

  it('takes an image reference', async () => {
    expect(await store.add('py', 'python:3.12-slim')).toMatchObject({ image: 'python:3.12-slim' })
    expect(await store.resolve('py', { accepts: ['image'], directory: root })).toEqual({
      kind: 'image',
      reference: 'python:3.12-slim',
    })
  })

  it.each([
    ['an archive without a shell', 'etc/passwd', 'it has neither bin/sh nor usr/bin/sh'],
    ['an image archive', 'manifest.json', 'it is an image archive'],
  ])('refuses %s', async (_what, entry, why) => {
    const path = await makeTar('bad.tar', entry)
    await expect(store.add('bad', path)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining(why),
    })
    expect(existsSync(join(root, 'data/bases/bad.json'))).toBe(false)
  })

  it('refuses what is no archive at all, a path that does not exist, and a bad name', async () => {
    await writeFile(join(root, 'text.tar'), 'no archive')
    await expect(store.add('bad', join(root, 'text.tar'))).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
    })
    await expect(store.add('bad', join(root, 'absent'))).rejects.toMatchObject({ code: 'HOLM_BASE_INVALID' })
    await expect(store.add('../bad', tar)).rejects.toMatchObject({ code: 'HOLM_NAME_INVALID' })
    await expect(store.add('host', tar)).rejects.toMatchObject({ code: 'HOLM_NAME_INVALID' })
  })
})

describe('import', () => {
  it('copies a file into the cache with progress, and remove takes it away again', async () => {
    const seen: number[] = []
    const entry = await store.import('mine', tar, { onProgress: ({ current }) => seen.push(current ?? 0) })
    const size = (await stat(tar)).size
    expect(seen.at(-1)).toBe(size)
    expect(entry.rootfs).toMatchObject({ sizeBytes: size, sha256: await sha256Of(tar) })
    expect(entry.rootfs?.path.startsWith(join(root, 'cache'))).toBe(true)
    await store.remove('mine')
    expect(existsSync(entry.rootfs?.path ?? '')).toBe(false)
    expect(existsSync(tar)).toBe(true)
  })

  it('refuses other bytes than the checksum says and leaves nothing', async () => {
    await expect(store.import('mine', tar, { sha256: 'a'.repeat(64) })).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
    })
    expect(await readdir(join(root, 'cache/bases'))).toEqual([])
  })

  it('goes on with a download that was cut off', async () => {
    const bytes = await readFile(tar)
    const asked: IncomingHttpHeaders[] = []
    let cut = (): void => undefined
    const address = await serve((request, response) => {
      asked.push(request.headers)
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      response.writeHead(from > 0 ? 206 : 200, { etag: '"one"', 'content-length': bytes.length - from })
      if (from > 0) return response.end(bytes.subarray(from))
      response.write(bytes.subarray(0, 65_536))
      return (cut = () => void response.destroy())
    })
    const part = join(root, 'cache/bases/mine.part')
    const first = store.import('mine', `${address}/x.tar`).catch((error: unknown) => error)
    await vi.waitFor(async () => expect((await stat(part)).size).toBe(65_536), 30_000)
    cut()
    expect(await first).toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      hint: expect.stringContaining('goes on where it ended'),
    })
    const entry = await store.import('mine', `${address}/x.tar`)
    expect(asked[1]).toMatchObject({ range: 'bytes=65536-', 'if-range': '"one"' })
    expect(entry.rootfs?.sha256).toBe(await sha256Of(tar))
    expect((await readdir(join(root, 'cache/bases'))).filter((name) => name.includes('part'))).toEqual([])
  })

  it('begins anew when the file changed on the server', async () => {
    const bytes = await readFile(tar)
    await mkdir(join(root, 'cache/bases'), { recursive: true })
    await writeFile(join(root, 'cache/bases/mine.part'), 'of an older file')
    const address = await serve((_request, response) => response.end(bytes))
    await writeFile(
      join(root, 'cache/bases/mine.part.json'),
      JSON.stringify({ url: `${address}/x.tar`, validator: '"old"' }),
    )
    const entry = await store.import('mine', `${address}/x.tar`)
    expect(entry.rootfs?.sha256).toBe(await sha256Of(tar))
  })

  it('says what the server answered', async () => {
    const address = await serve((_request, response) => response.writeHead(404).end())
    await expect(store.import('mine', `${address}/x.tar`)).rejects.toMatchObject({
      message: `${address}/x.tar answered 404`,
    })
  })

  it('ends when aborted', async () => {
    const abort = new AbortController()
    const address = await serve(
      (_request, response) => void response.writeHead(200).write('begin', () => abort.abort()),
    )
    await expect(store.import('mine', `${address}/x.tar`, { signal: abort.signal })).rejects.toMatchObject({
      code: 'HOLM_INTERRUPTED',
    })
    expect(await store.list()).not.toContainEqual(expect.objectContaining({ name: 'mine' }))
  })

  it('wants a checksum for an address that is not encrypted', async () => {
    await expect(store.import('mine', 'http://example.invalid/x.tar')).rejects.toMatchObject({
      code: 'HOLM_USAGE',
    })
  })

  it('takes over the lock of a process that is gone and respects that of one that lives', async () => {
    await mkdir(join(root, 'cache/bases'), { recursive: true })
    const lock = join(root, 'cache/bases/mine.part.lock')
    await writeFile(lock, String(process.ppid))
    await expect(store.import('mine', tar)).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_BUSY' })
    await writeFile(lock, '999999999')
    expect(await store.import('mine', tar)).toMatchObject({ name: 'mine' })
    expect(existsSync(lock)).toBe(false)
  })
})

describe('a disk', () => {
  /** The first bytes of a qcow2 file; what else is in it nobody looks at. */
  const qcow2 = ({ backing = 0, features = 0 } = {}): Buffer => {
    const header = Buffer.alloc(1024)
    header.write('QFI\u00fb', 'latin1')
    header.writeUInt32BE(3, 4)
    header.writeBigUInt64BE(BigInt(backing), 8)
    header.writeBigUInt64BE(BigInt(features), 72)
    return header
  }
  const file = async (name: string, data: Buffer): Promise<string> => {
    await writeFile(join(root, name), data)
    return join(root, name)
  }
  const machines = { accepts: ['rootfs', 'disk'] as const, directory: '/' }

  it('is added where it lies, told with its format, and resolved for who takes disks', async () => {
    const path = await file('work.qcow2', qcow2())
    expect(await store.add('work', path)).toMatchObject({
      name: 'work',
      origin: 'local',
      disk: { path, format: 'qcow2', sizeBytes: 1024, sha256: await sha256Of(path) },
    })
    expect((await store.list()).find(({ name }) => name === 'work')?.disk?.format).toBe('qcow2')
    expect(await store.resolve('work', machines)).toEqual({
      kind: 'disk',
      name: 'work',
      path,
      format: 'qcow2',
      sha256: await sha256Of(path),
    })
    await expect(store.resolve('work', { accepts: ['rootfs'], directory: '/' })).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
      message: expect.stringContaining('disk images') as string,
    })
  })

  it('is imported into the cache under an ending of its format, and removed from it', async () => {
    const entry = await store.import('work', await file('work.img', Buffer.alloc(4096)))
    expect(entry.disk).toMatchObject({ format: 'raw', sizeBytes: 4096 })
    expect(entry.disk?.path).toMatch(/\.raw$/)
    await store.remove('work')
    expect(existsSync(entry.disk?.path ?? '')).toBe(false)
  })

  it('without an ending that says so is one when it is called one', async () => {
    const path = await file('machine', qcow2())
    await expect(store.add('work', path)).rejects.toMatchObject({ code: 'HOLM_BASE_INVALID' })
    expect((await store.add('work', path, { disk: true })).disk?.format).toBe('qcow2')
    expect((await store.import('other', path, { disk: true })).disk?.path).toMatch(/\.qcow2$/)
  })

  it('that has parts in other files of this machine is refused, also by its path', async () => {
    for (const data of [qcow2({ backing: 512 }), qcow2({ features: 4 })]) {
      const path = await file('bad.qcow2', data)
      const refusal = {
        code: 'HOLM_BASE_INVALID',
        message: expect.stringContaining('made of several files') as string,
      }
      await expect(store.add('bad', path)).rejects.toMatchObject(refusal)
      await expect(store.import('bad', path)).rejects.toMatchObject(refusal)
      await expect(store.resolve(path, machines)).rejects.toMatchObject(refusal)
    }
  })

  it('of another kind, or packed, is refused with what it is', async () => {
    const path = await file('bad.img', Buffer.concat([Buffer.from('1f8b0800', 'hex'), Buffer.alloc(600)]))
    await expect(store.add('bad', path)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining('packed with gzip') as string,
    })
  })

  it('of the catalogue is downloaded and checked against the SHA-512 sum beside it', async () => {
    const data = qcow2()
    const sum = createHash('sha512').update(data).digest('hex')
    const arch = process.arch === 'arm64' ? 'arm64' : 'amd64'
    const name = `debian-12-genericcloud-${arch}.qcow2`
    let published = `${sum}  ${name}\n`
    const asked: string[] = []
    const fetch: typeof globalThis.fetch = async (input) => {
      const url = input instanceof Request ? input.url : input.toString()
      asked.push(url)
      return new Response(url.endsWith('/SHA512SUMS') ? published : new Uint8Array(data))
    }
    const paths = { data: join(root, 'data'), cache: join(root, 'cache') }
    const web = createBaseStore({ paths, runner, env: process.env, fetch })
    expect((await web.import('cloud', 'debian-12', { disk: true })).disk).toMatchObject({ format: 'qcow2' })
    expect(asked).toEqual([
      'https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS',
      `https://cloud.debian.org/images/cloud/bookworm/latest/${name}`,
    ])
    published = `${'0'.repeat(128)}  ${name}\n`
    await expect(web.import('other', 'debian-12', { disk: true })).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining('has checksum') as string,
    })
    await expect(web.import('none', 'alpine-3.22', { disk: true })).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
    })
  })
})

describe('remove', () => {
  it('keeps a file that was only added', async () => {
    await store.add('mine', tar)
    expect(await store.remove('mine')).toMatchObject({ name: 'mine' })
    expect(existsSync(tar)).toBe(true)
    await expect(store.remove('mine')).rejects.toMatchObject({ code: 'HOLM_BASE_NOT_FOUND' })
  })

  it('of a catalogue base forgets its recorded digest, once', async () => {
    await store.recordDigest('debian:12', 'sha256:abc')
    const context = { accepts: ['image'], directory: root } as const
    expect(await store.resolve('debian-12', context)).toMatchObject({ digest: 'sha256:abc' })
    expect((await store.list()).find((base) => base.name === 'debian-12')).toMatchObject({
      digest: 'sha256:abc',
    })
    await store.remove('debian-12')
    expect(await store.resolve('debian-12', context)).toEqual({ kind: 'image', reference: 'debian:12' })
    await expect(store.remove('debian-12')).rejects.toMatchObject({
      message: 'base debian-12 comes with holm and cannot be removed',
    })
  })
})

describe('damage', () => {
  it('of one entry hides no other, and is named when it is asked for', async () => {
    await store.add('mine', tar)
    await writeFile(join(root, 'data/bases/broken.json'), '{')
    expect((await store.list()).map((base) => base.name)).toContain('mine')
    await expect(store.resolve('broken', { accepts: ['rootfs'], directory: root })).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining('broken.json is damaged'),
    })
  })
})

it('a digest is recorded only for images of the catalogue', async () => {
  await store.recordDigest('python:3.12', 'sha256:abc')
  expect(existsSync(join(root, 'data/bases/.digests.json'))).toBe(false)
})
