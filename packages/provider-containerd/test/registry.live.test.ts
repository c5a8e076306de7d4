import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { createSpec, createTar, createTestContext, parseTar, readAll } from '@holm/testkit'
import { requireFacet } from '@holm/core'
import type { Base } from '@holm/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine, createProvider } from '../src/index.ts'
import { goArchitecture, mediaTypes } from '../src/manifest.ts'
import { liveSkip, openLive, runner } from './live.ts'
import type { Live } from './live.ts'

const reason = liveSkip()
if (reason) process.stderr.write(`registry.live: skipped: ${reason}\n`)

interface Blob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly data: Buffer
}

function blobOf(data: Buffer | object, mediaType: string): Blob {
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(JSON.stringify(data))
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  return { mediaType, digest, size: bytes.length, data: bytes }
}

function descriptor({ mediaType, digest, size }: Blob): object {
  return { mediaType, digest, size }
}

/** Two packed layers, the second of which removes a file of the first; behind a list for two kinds of machine. */
function makeImage(): readonly Blob[] {
  const file = (name: string, text: string) => ({ path: name, mode: 0o644, data: Buffer.from(text) })
  const tars = [
    createTar([file('first', 'one'), file('gone', 'x')]),
    createTar([file('second', 'two'), file('.wh.gone', '')]),
  ]
  const layers = tars.map((tar) => blobOf(gzipSync(tar), `${mediaTypes.layer}+gzip`))
  const diffIds = tars.map((tar) => blobOf(tar, '').digest)
  const config = blobOf(
    {
      os: 'linux',
      architecture: goArchitecture(process.arch),
      config: { User: '7:8', WorkingDir: '/srv', Env: ['FROM=image'], Labels: { made: 'here' } },
      rootfs: { type: 'layers', diff_ids: diffIds },
    },
    mediaTypes.config,
  )
  const manifest = blobOf(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptor(config),
      layers: layers.map(descriptor),
    },
    mediaTypes.manifest,
  )
  const platform = (architecture: string): object => ({ platform: { os: 'linux', architecture } })
  const other = { ...descriptor(config), ...platform('none') }
  const list = blobOf(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [other, { ...descriptor(manifest), ...platform(goArchitecture(process.arch)) }],
    },
    mediaTypes.index,
  )
  return [list, manifest, config, ...layers]
}

describe.skipIf(reason)('containerd, images of a registry', () => {
  const image = makeImage()
  const [list] = image
  let live: Live
  let server: Server
  let host: string
  const asked: string[] = []
  let broken = false

  beforeAll(async () => {
    live = await openLive()
    server = createServer(answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    host = `127.0.0.1:${(server.address() as { port: number }).port}`
  })

  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await live.dispose()
  })

  function answer({ url: asks = '/', headers }: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(asks, 'http://x')
    const { authorization = '' } = headers
    asked.push(pathname)
    const name = pathname.split('/').at(-1)
    const found = name === 'latest' ? list : image.find(({ digest }) => digest === name)
    if (pathname === '/token') response.end(JSON.stringify({ token: `for ${authorization}` }))
    else if (!authorization.startsWith('Bearer for Basic ')) {
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token",service="test"` })
        .end()
    } else if (!found) response.writeHead(404).end()
    else {
      const isDamaged = broken && pathname.includes('/blobs/')
      response.writeHead(200, { 'content-type': found.mediaType })
      response.end(isDamaged ? Buffer.alloc(found.size, 'x') : found.data)
    }
  }

  /** A provider with a login for the registry. */
  async function withLogin(): Promise<ReturnType<typeof createProvider>> {
    const folder = path.join(live.engine.folder, 'docker')
    await mkdir(folder, { recursive: true })
    const auth = Buffer.from('me:secret').toString('base64')
    await writeFile(path.join(folder, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }))
    const { namespace, address, folder: own } = live.engine
    const data = path.dirname(path.dirname(own))
    const engine = createEngine({
      namespace,
      address,
      data,
      env: { DOCKER_CONFIG: folder },
      caller: { uid: 0, gid: 0 },
    })
    return createProvider(engine)
  }

  function context(): ReturnType<typeof createTestContext> {
    return createTestContext({ runner })
  }

  function base(name: string): Extract<Base, { kind: 'image' }> {
    return { kind: 'image', reference: `${host}/${name}` }
  }

  it('are refused without a login, and nothing is left', async () => {
    await expect(live.provider.images?.prepare(base('a/b'), context())).rejects.toMatchObject({
      code: 'HOLM_IMAGE_MISSING',
      message: expect.stringContaining(`${host}/a/b:latest`),
      hint: expect.stringContaining('ctr -n holm images import'),
    })
    expect(await live.provider.images?.inspect(base('a/b'), context())).toBeUndefined()
  })

  it('that come damaged are refused', async () => {
    broken = true
    const provider = await withLogin()
    await expect(provider.images?.prepare(base('damaged'), context())).rejects.toMatchObject({
      code: 'HOLM_IMAGE_MISSING',
    })
    broken = false
    expect(await provider.images?.inspect(base('damaged'), context())).toBeUndefined()
  })

  it('are pulled for this machine, unpacked, and used as they say', async () => {
    const provider = await withLogin()
    const told = context()
    const info = await provider.images?.prepare(base('own/image'), told)
    expect(info).toMatchObject({
      id: list?.digest,
      user: '7:8',
      workdir: '/srv',
      env: { FROM: 'image' },
      labels: { made: 'here' },
    })
    expect(told.updates.some(({ item, unit }) => item !== undefined && unit === 'bytes')).toBe(true)
    const before = asked.length
    expect((await provider.images?.prepare(base('own/image'), context()))?.id).toBe(info?.id)
    expect(asked.length).toBe(before)
    const state = await provider.create(
      createSpec({ name: 'pulled', base: base('own/image'), network: 'none' }),
      context(),
    )
    expect(state.user).toBe('7:8')
    const read = async (file: string): Promise<string | undefined> =>
      parseTar(
        await readAll(requireFacet(provider, 'files').get('pulled', file, context())),
      )[0]?.data.toString()
    expect([await read('/first'), await read('/second')]).toEqual(['one', 'two'])
    await expect(read('/gone')).rejects.toMatchObject({ code: 'HOLM_USAGE' })
    await provider.remove('pulled', { volumes: true }, context())
    await provider.images?.remove(base('own/image'), context())
  })

  it('of another digest than the blueprint names are refused', async () => {
    const provider = await withLogin()
    const wrong = { ...base('own/image'), digest: `sha256:${'0'.repeat(64)}` }
    await expect(provider.images?.prepare(wrong, context())).rejects.toMatchObject({
      code: 'HOLM_IMAGE_MISSING',
    })
  })
})
