import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBaseStore } from '../src/host/base/index.ts'
import { createRunner } from '../src/host/runner.ts'

const runner = createRunner({ env: process.env })

/** Building takes packages from where this machine takes its own: only on Debian, with mmdebstrap. */
async function whySkipped(): Promise<string | undefined> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  if (!/^ID=debian$/m.test(release)) return 'this machine is no Debian'
  return runner.run(['mmdebstrap', '--version']).then(
    () => undefined,
    () => 'mmdebstrap is missing',
  )
}

const skipped = await whySkipped()
if (skipped !== undefined) process.stderr.write(`skipped: building a base: ${skipped}\n`)

describe.skipIf(skipped !== undefined)('build', () => {
  let root = ''
  const createStore = (): ReturnType<typeof createBaseStore> =>
    createBaseStore({
      paths: { data: join(root, 'data'), cache: join(root, 'cache') },
      runner,
      env: process.env,
    })

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'holm-build-'))
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  it('makes a root filesystem that resolves for files and answers the image reference', async () => {
    const messages: string[] = []
    const entry = await createStore().build('debian-12', {
      onProgress: ({ message }) => messages.push(message),
    })
    expect(messages.length).toBeGreaterThan(3)
    expect(entry).toMatchObject({ name: 'debian-12', origin: 'local' })
    const base = await createStore().resolve('debian:bookworm', {
      accepts: ['host', 'rootfs'],
      directory: root,
    })
    expect(base).toEqual({
      kind: 'rootfs',
      name: 'debian-12',
      path: entry.rootfs?.path,
      sha256: entry.rootfs?.sha256,
    })
    const listing = await runner.run(['tar', '-tf', entry.rootfs?.path ?? ''])
    expect(listing.stdout).toContain('./usr/bin/dpkg\n')
    await createStore().remove('debian-12')
    expect(await readdir(join(root, 'cache/bases'))).toEqual(['checksums.json'])
  })

  it('leaves nothing when it is aborted in the middle', async () => {
    const abort = new AbortController()
    const building = createStore().build('debian-12', {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    })
    await expect(building).rejects.toMatchObject({ code: 'HOLM_INTERRUPTED' })
    expect(await readdir(join(root, 'cache/bases'))).toEqual(['checksums.json'])
    expect((await createStore().list()).every((base) => base.origin === 'catalogue')).toBe(true)
  })

  it("keeps the builder's last lines when it fails", async () => {
    const building = createStore().build('debian-12', { mirror: 'http://127.0.0.1:9/debian' })
    await expect(building).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringMatching(/^mmdebstrap ended with code \d+\n/),
      hint: expect.stringContaining('--mirror'),
    })
  })
})

const noDisk =
  process.platform === 'linux' && process.getuid?.() === 0
    ? undefined
    : 'mounting a small disk needs root on Linux'
if (noDisk !== undefined) process.stderr.write(`skipped: importing onto a full disk: ${noDisk}\n`)

describe.skipIf(noDisk !== undefined)('a full disk', () => {
  let root = ''
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'holm-full-'))
    await writeFile(join(root, 'big.tar'), new Uint8Array(4_000_000))
    await mkdir(join(root, 'cache'))
    expect(
      (await runner.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'holm-test', join(root, 'cache')])).code,
    ).toBe(0)
  })
  afterAll(async () => {
    await runner.run(['umount', join(root, 'cache')])
    await rm(root, { recursive: true, force: true })
  })

  it('is named, and nothing is left on it', async () => {
    const store = createBaseStore({
      paths: { data: join(root, 'data'), cache: join(root, 'cache') },
      runner,
      env: {},
    })
    await expect(store.import('big', join(root, 'big.tar'))).rejects.toMatchObject({ code: 'HOLM_DISK_FULL' })
    expect(await readdir(join(root, 'cache/bases'))).toEqual([])
    expect((await store.list()).some((base) => base.name === 'big')).toBe(false)
  })
})
