import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createRunner } from '../runner.ts'
import { nameOfServerImage, parseIndex, parseServerImage, parseStreams } from './image-server.ts'
import { createBaseStore } from './store.ts'

const runner = createRunner({ env: process.env })
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64'
const place = `images/debian/bookworm/${arch}/default`
const servers: Server[] = []
let root = ''
let tar: Buffer
let sum = ''

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holm-image-server-'))
  await mkdir(join(root, 'made/usr/bin'), { recursive: true })
  await writeFile(join(root, 'made/usr/bin/sh'), randomBytes(200_000))
  await runner.run(['tar', '-cJf', join(root, 'rootfs.tar.xz'), '-C', join(root, 'made'), '.'])
  tar = await readFile(join(root, 'rootfs.tar.xz'))
  sum = createHash('sha256').update(tar).digest('hex')
})

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await rm(root, { recursive: true, force: true })
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Serves these files and 404 for others. */
function serve(files: Readonly<Record<string, string | Buffer>>, asked: string[] = []): Promise<string> {
  return listen(({ url = '' }, response) => {
    asked.push(url)
    const file = files[url.slice(1)]
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
}

const storeOf = (imageServer: string): ReturnType<typeof createBaseStore> =>
  createBaseStore({
    paths: { data: join(root, 'data'), cache: join(root, 'cache') },
    runner,
    env: process.env,
    imageServer,
  })

/** As the server of linuxcontainers.org writes it. */
const streams = (builds: Readonly<Record<string, string>>): Record<string, string> => ({
  'streams/v1/index.json': JSON.stringify({
    format: 'index:1.0',
    index: {
      images: { datatype: 'image-downloads', path: 'streams/v1/images.json', format: 'products:1.0' },
    },
  }),
  'streams/v1/images.json': JSON.stringify({
    content_id: 'images',
    datatype: 'image-downloads',
    format: 'products:1.0',
    products: {
      [`debian:bookworm:${arch}:default`]: {
        aliases: 'debian/bookworm/default,debian/bookworm,debian/12/default,debian/12',
        arch,
        os: 'Debian',
        release: 'bookworm',
        variant: 'default',
        versions: Object.fromEntries(
          Object.entries(builds).map(([build, sha256]) => [
            build,
            {
              items: {
                'incus.tar.xz': {
                  ftype: 'incus.tar.xz',
                  path: `${place}/${build}/incus.tar.xz`,
                  sha256: 'a'.repeat(64),
                },
                'root.squashfs': {
                  ftype: 'squashfs',
                  path: `${place}/${build}/rootfs.squashfs`,
                  sha256: 'b'.repeat(64),
                },
                'root.tar.xz': { ftype: 'root.tar.xz', path: `${place}/${build}/rootfs.tar.xz`, sha256 },
              },
            },
          ]),
        ),
      },
      'alpine:3.22:s390x:default': { aliases: 'alpine/3.22', arch: 's390x', versions: {} },
    },
  }),
})

describe('the name of an image', () => {
  it('is completed with this architecture and the usual variant', () => {
    const image = parseServerImage('download:Debian/bookworm', 'x64')
    expect(image).toEqual({
      distribution: 'debian',
      release: 'bookworm',
      architecture: 'amd64',
      variant: 'default',
    })
    expect(image && nameOfServerImage(image)).toBe('download:debian/bookworm/amd64/default')
    expect(parseServerImage('download:debian/12/arm64/cloud', 'x64')).toMatchObject({
      architecture: 'arm64',
      variant: 'cloud',
    })
    expect(parseServerImage('debian:12', 'x64')).toBeUndefined()
  })

  it.each([
    'download:',
    'download:debian',
    'download:debian/',
    'download:a/b/c/d/e',
    'download:../x',
    'download:a b/c',
  ])('%s is none', (text) =>
    expect(() => parseServerImage(text, 'x64')).toThrow('names no image of a server'),
  )
})

describe('lists', () => {
  it('of LXC’s template are lines', () => {
    expect(parseIndex('debian;bookworm;amd64;default;20260101_05:24;/images/d/\n\nhalf;a line\n')).toEqual([
      {
        distribution: 'debian',
        release: 'bookworm',
        architecture: 'amd64',
        variant: 'default',
        aliases: [],
        build: '20260101_05:24',
        path: '/images/d/rootfs.tar.xz',
        sum: undefined,
      },
    ])
  })

  it.each(['<html>', '[]]', 'null', '{"products":{"a:b:c:d":null}}'])('%s is none', (text) => {
    expect(() => parseStreams(text, 'https://example.invalid/x')).toThrow(
      'https://example.invalid/x answered something that is no list of images',
    )
  })
})

describe('an image', () => {
  const request = 'download:debian/bookworm'
  const name = `download:debian/bookworm/${arch}/default`

  it('of simplestreams is its newest build, checked, and found from then on', async () => {
    const asked: string[] = []
    const address = await serve(
      {
        ...streams({ '20260101_05:24': 'c'.repeat(64), '20260301_05:24': sum }),
        [`${place}/20260301_05:24/rootfs.tar.xz`]: tar,
      },
      asked,
    )
    const store = storeOf(address)
    expect(await store.missing(request)).toBe(name)
    const entry = await store.import(name, name)
    expect(entry.rootfs?.sha256).toBe(sum)
    expect(await store.missing(request)).toBeUndefined()
    const context = { accepts: ['rootfs'], directory: root } as const
    expect(await store.resolve(request, context)).toMatchObject({ kind: 'rootfs', name, sha256: sum })
    expect(await store.resolve({ image: request }, context)).toMatchObject({ kind: 'rootfs', name })
    expect(asked).toHaveLength(3)
    await store.remove(name)
    expect(await readdir(join(root, 'cache/bases'))).not.toContainEqual(expect.stringContaining('.tar'))
    await expect(store.resolve(request, context)).rejects.toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
      hint: `Fetch it: holm base import ${name} ${name}.`,
    })
  })

  it('is fetched, not added', async () => {
    await expect(storeOf('https://example.invalid').add('mine', request)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      hint: `Fetch it: holm base import mine ${request}.`,
    })
  })

  it('has the names that the server gives it', async () => {
    const address = await serve({ ...streams({ one: sum }), [`${place}/one/rootfs.tar.xz`]: tar })
    expect((await storeOf(address).import('mine', 'download:debian/12')).rootfs?.sha256).toBe(sum)
  })

  it('of a server with the template’s index alone is checked against the list beside it', async () => {
    const index = `debian;bookworm;${arch};default;one;/${place}/one/\n`
    const files = { 'meta/1.0/index-system': index, [`${place}/one/rootfs.tar.xz`]: tar }
    const address = await serve({ ...files, [`${place}/one/SHA256SUMS`]: `${sum}  rootfs.tar.xz\n` })
    expect((await storeOf(`${address}/`).import('mine', request)).rootfs?.sha256).toBe(sum)
    await expect(storeOf(await serve(files)).import('other', request)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining('publishes no checksum') as string,
    })
  })

  it('with other bytes than the list says is refused, and nothing of it is kept', async () => {
    const address = await serve({
      ...streams({ one: 'd'.repeat(64) }),
      [`${place}/one/rootfs.tar.xz`]: tar,
    })
    await expect(storeOf(address).import(name, name)).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: `${name} has checksum ${sum}, expected ${'d'.repeat(64)}`,
    })
    expect(await readdir(join(root, 'cache/bases'))).toEqual([])
  })

  it('that was cut off goes on where it ended', async () => {
    const lists = streams({ one: sum })
    const half = 65_536
    let cut = (): void => undefined
    let range: string | undefined
    const address = await listen(({ url = '', headers }, response) => {
      const list = lists[url.slice(1)]
      if (list !== undefined) return response.end(list)
      range = headers.range
      if (range === undefined) {
        response.writeHead(200, { 'content-length': tar.length }).write(tar.subarray(0, half))
        return (cut = () => void response.destroy())
      }
      return response.writeHead(206, { 'content-length': tar.length - half }).end(tar.subarray(half))
    })
    const part = join(root, 'cache/bases', `${encodeURIComponent(name)}.part`)
    const first = storeOf(address)
      .import(name, name)
      .catch((error: unknown) => error)
    await vi.waitFor(async () => expect((await stat(part)).size).toBe(half), 30_000)
    cut()
    expect(await first).toMatchObject({ hint: expect.stringContaining('goes on where it ended') as string })
    expect((await storeOf(address).import(name, name)).rootfs?.sha256).toBe(sum)
    expect(range).toBe(`bytes=${half}-`)
  })

  it('that the server does not have is refused with what it has', async () => {
    const store = storeOf(await serve(streams({ one: sum })))
    const refusal = (text: string): Promise<unknown> =>
      store.import('x', text).catch((error: unknown) => error)
    expect(await refusal('download:debian/bookwurm')).toMatchObject({
      code: 'HOLM_BASE_NOT_FOUND',
      hint: `Of debian it has bookworm/${arch}/default.`,
    })
    expect(await refusal('download:debian/bookworm/s390x')).toMatchObject({
      hint: `It has debian for ${arch}.`,
    })
    expect(await refusal('download:arch/current')).toMatchObject({ hint: 'It has debian.' })
  })

  it('is not asked of a server that is not there, lists nothing, fails, or is not encrypted', async () => {
    const gone = await serve({})
    await expect(storeOf(gone).import('x', request)).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: `${gone} lists no images`,
    })
    const failing = await listen((_request, response) => response.writeHead(503).end())
    await expect(storeOf(failing).import('x', request)).rejects.toThrow('answered 503')
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    await expect(storeOf(gone).import('x', request)).rejects.toThrow(
      `${gone}/streams/v1/index.json cannot be reached`,
    )
    // The second one only looks like an address of this machine.
    for (const open of ['http://example.invalid', 'http://127.example.invalid'])
      await expect(storeOf(open).import('x', request)).rejects.toMatchObject({ code: 'HOLM_CONFIG_INVALID' })
  })

  it('that lies elsewhere than on the server is refused', async () => {
    const lists = streams({ one: sum })
    const address = await serve({
      ...lists,
      'streams/v1/images.json': (lists['streams/v1/images.json'] ?? '').replaceAll(
        place,
        'https://example.invalid',
      ),
    })
    await expect(storeOf(address).import('x', request)).rejects.toThrow('which is not on it')
  })

  it('ends when aborted', async () => {
    const controller = new AbortController()
    const address = await listen(() => controller.abort())
    await expect(storeOf(address).import('x', request, { signal: controller.signal })).rejects.toMatchObject({
      code: 'HOLM_INTERRUPTED',
    })
  })
})
