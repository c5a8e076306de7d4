import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createFaultHolm, expectCode, type FaultHolm } from './faults/support/fault-holm.ts'
import { makeFolder, runProgram } from './support/holm.ts'
import { whyNot } from './support/runtimes.ts'

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
const image = `debian/bookworm/${architecture}/default`
const build = '20260301_05:24'
const slow = { timeout: 240_000 }

/** What a shell and a few programs need, so that packing it takes a second. */
const wanted = [
  './bin',
  './sbin',
  './lib',
  './lib64',
  './etc/passwd',
  './etc/group',
  './etc/os-release',
  './usr/lib/os-release',
  './usr/lib64',
  ...['sh', 'dash', 'cat', 'sleep', 'mkdir', 'rm', 'ln', 'chmod', 'chown', 'stat', 'env', 'tar'].map(
    (name) => `./usr/bin/${name}`,
  ),
  ...['ld-*', 'libc.so*', 'libselinux*', 'libpcre2*', 'libacl*', 'libattr*', 'libm.so*'].map(
    (name) => `./usr/lib/*-linux-gnu/${name}`,
  ),
]

const holm: FaultHolm = createFaultHolm()
const folder = makeFolder('holm-image-server-')
/** Of the requests for the root filesystem. */
const ranges: (string | undefined)[] = []
let reason: string | undefined
let server: Server | undefined
let address = ''
let rootfs: Buffer
let sum = ''
/** How much of the root filesystem is sent before the line is cut. */
let cutAfter = Number.POSITIVE_INFINITY

beforeAll(async () => {
  reason = await whyNot(holm, { provider: 'lxc', base: '' })
  if (reason !== undefined) return
  const tree = join(folder, 'tree')
  mkdirSync(join(tree, 'tmp'), { recursive: true })
  const take = ['tar', '-xf', process.env['HOLM_TEST_ROOTFS'] ?? '', '-C', tree, '--wildcards']
  const file = join(folder, 'rootfs.tar.xz')
  // A pattern that finds nothing is no failure: libraries differ between processors.
  await runProgram([...take, ...wanted])
  for (const name of ['dev', 'proc', 'sys', 'run', 'root', 'var/tmp'])
    mkdirSync(join(tree, name), { recursive: true })
  expect(await runProgram(['tar', '-C', tree, '-I', 'xz -0', '-cf', file, '.'])).toMatchObject({ code: 0 })
  rootfs = readFileSync(file)
  sum = createHash('sha256').update(rootfs).digest('hex')
  address = await serve()
})

afterAll(async () => {
  server?.closeAllConnections()
  server?.close()
  await holm.dispose()
  rmSync(folder, { recursive: true, force: true })
})

/** An image server on loopback: simplestreams, as linuxcontainers.org's is. */
async function serve(): Promise<string> {
  server = createServer(({ url = '', headers }, response) => {
    if (url === '/streams/v1/index.json') return response.end(JSON.stringify(index))
    if (url === '/streams/v1/images.json') return response.end(JSON.stringify(images()))
    if (url !== `/${place}/rootfs.tar.xz`) return response.writeHead(404).end()
    ranges.push(headers.range)
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': rootfs.length - start })
    if (cutAfter > rootfs.length) return response.end(rootfs.subarray(start))
    return response.write(rootfs.subarray(start, cutAfter))
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const place = `images/${image}/${build}`
const index = {
  format: 'index:1.0',
  index: { images: { datatype: 'image-downloads', path: 'streams/v1/images.json', format: 'products:1.0' } },
}
const images = (): object => ({
  content_id: 'images',
  datatype: 'image-downloads',
  format: 'products:1.0',
  products: {
    [image.replaceAll('/', ':')]: {
      aliases: 'debian/bookworm/default,debian/bookworm',
      arch: architecture,
      os: 'Debian',
      release: 'bookworm',
      variant: 'default',
      versions: {
        [build]: {
          items: {
            'root.tar.xz': {
              ftype: 'root.tar.xz',
              path: `${place}/rootfs.tar.xz`,
              sha256: sum,
              size: rootfs.length,
            },
          },
        },
      },
    },
  },
})

const ask = { timeoutMs: 110_000 }
const at = (server: string): { readonly env: NodeJS.ProcessEnv } => ({
  env: { HOLM_BASE__IMAGE_SERVER: server },
})
const cache = join(holm.home, 'cache', 'bases')
const listFetched = (): string[] => readdirSync(cache).filter((name) => name.startsWith('download'))

test(
  'LXC starts from an image that a server has, which is fetched once, also after Ctrl-C',
  slow,
  async (ctx) => {
    if (reason !== undefined) ctx.skip(reason)
    const options = { exit: 0, ...ask, ...at(address) }
    holm.write('holm.yaml', 'name: one\nbase: download:debian/bookworm\nprovider: lxc\n')
    cutAfter = 65_536
    const first = holm.start(['up'], options)
    const part = join(cache, `${encodeURIComponent(`download:${image}`)}.part`)
    await vi.waitFor(() => expect(statSync(part).size).toBe(cutAfter), { timeout: 60_000 })
    first.kill('SIGINT')
    expect((await first.ended).code).toBe(130)
    cutAfter = Number.POSITIVE_INFINITY
    // Two at once: one fetches, the other waits for it.
    await Promise.all([[], ['--name', 'two']].map((name) => expectCode(holm, ['up', ...name], options)))
    expect(ranges.slice(0, 2)).toEqual([undefined, 'bytes=65536-'])
    const said = await expectCode(holm, ['exec', 'one', '--', 'cat', '/etc/os-release'], options)
    expect(said.stdout).toContain('VERSION_CODENAME=bookworm')
    const fetched = ranges.length
    await expectCode(holm, ['destroy', 'two', '--yes'], options)
    await expectCode(holm, ['up', '--name', 'two'], options)
    expect(ranges).toHaveLength(fetched)
    const { stdout } = await expectCode(holm, ['base', 'list', '--json'], options)
    expect(stdout).toContain(`"download:${image}"`)
    for (const name of ['one', 'two']) await expectCode(holm, ['destroy', name, '--yes'], options)
    await expectCode(holm, ['base', 'remove', `download:${image}`], options)
    expect(listFetched()).toEqual([])
  },
)

test('what a server cannot give is said, and leaves nothing', slow, async (ctx) => {
  if (reason !== undefined) ctx.skip(reason)
  holm.write('holm.yaml', 'name: one\nbase: download:debian/bookworm\nprovider: lxc\n')
  const fails = async (args: readonly string[], server: string, exit: number): Promise<string> =>
    (await expectCode(holm, args, { exit, ...ask, ...at(server) })).stderr
  expect(await fails(['up'], 'http://127.0.0.1:1', 8)).toContain('streams/v1/index.json cannot be reached')
  expect(await fails(['up', '--base', 'download:debian/bookwurm'], address, 3)).toContain(
    `Of debian it has bookworm/${architecture}/default`,
  )
  expect(await fails(['up', '--base', 'download:debian'], address, 3)).toContain('names no image of a server')
  const right = sum
  sum = '0'.repeat(64)
  expect(await fails(['up'], address, 3)).toContain(`has checksum ${right}, expected ${sum}`)
  sum = right
  expect(listFetched()).toEqual([])
  expect(await holm.run(['list', '--json'], ask)).toMatchObject({ code: 0, stdout: '[]\n' })
})

test('a disk that is full is said, and leaves nothing', slow, async (ctx) => {
  if (reason !== undefined) ctx.skip(reason)
  holm.write('holm.yaml', 'name: one\nbase: download:debian/bookworm\nprovider: lxc\n')
  mkdirSync(cache, { recursive: true })
  const mount = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'holm-test', cache]
  if ((await runProgram(mount)).code !== 0) ctx.skip('a small disk is mounted, which needs root')
  try {
    const ended = await holm.run(['up', '--json'], { ...ask, ...at(address) })
    expect(ended.stdout).toContain('HOLM_DISK_FULL')
    expect(readdirSync(cache)).toEqual([])
  } finally {
    await runProgram(['umount', cache])
  }
})
