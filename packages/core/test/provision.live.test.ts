import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { probeUserEnv, provisionWith } from '../src/host/provision/index.ts'
import { createRunner } from '../src/host/runner.ts'
import { createRecorder } from './support/inside.ts'
import type { Inside } from '../src/host/provision/index.ts'

/** A Debian root filesystem: a tarball or a folder. */
const rootfs = process.env['HOLM_TEST_ROOTFS'] ?? ''

function whySkipped(): string | undefined {
  if (!existsSync(rootfs)) return 'HOLM_TEST_ROOTFS names no root filesystem'
  return process.getuid?.() === 0 ? undefined : 'chroot needs root'
}

const skipped = whySkipped()
const runner = createRunner({ env: process.env })

/** Runs inside through chroot, in a mount namespace of its own that has /proc and /dev. */
function createChrootInside(folder: string): Inside {
  const enter =
    'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && r=$1 && shift && exec chroot "$r" "$@"'
  return {
    async run({ argv, env = {}, input, signal }, onOutput) {
      const base = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: '/root', ...env }
      const variables = Object.entries(base).map(([name, value]) => `${name}=${value}`)
      const result = await runner.run(
        ['unshare', '-m', 'sh', '-c', enter, 'sh', folder, 'env', '-i', ...variables, ...argv],
        { ...(input === undefined ? {} : { input }), ...(signal === undefined ? {} : { signal }) },
      )
      if (result.stdout !== '') onOutput?.('stdout', result.stdout)
      if (result.stderr !== '') onOutput?.('stderr', result.stderr)
      return result
    },
  }
}

const base = { kind: 'folder', name: 'test', path: '/' } as const
const nothing = { packages: [], tools: {}, setup: [], postInstall: [] }

if (skipped !== undefined) process.stderr.write(`skipped: provisioning a real root filesystem: ${skipped}\n`)

describe.skipIf(skipped !== undefined)('provision in a Debian root filesystem', () => {
  let folder = ''
  let inside: Inside
  let mirror = false
  const needsMirror = (ctx: TestContext): void => {
    if (!mirror) ctx.skip('no package mirror answers')
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holm-provision-'))
    const unpack = (await stat(rootfs)).isDirectory()
      ? ['cp', '-a', `${rootfs}/.`, folder]
      : ['tar', '-xf', rootfs, '-C', folder, '--exclude=./dev/*']
    expect((await runner.run(unpack)).code).toBe(0)
    await mkdir(join(folder, 'proc'), { recursive: true })
    await runner.run(['cp', '-L', '/etc/resolv.conf', '/etc/hosts', join(folder, 'etc')])
    inside = createChrootInside(folder)
    const update = await inside.run({
      argv: ['apt-get', '-qq', '-o', 'APT::Update::Error-Mode=any', 'update'],
    })
    mirror = update.code === 0
  })

  afterAll(async () => {
    if (folder !== '') await rm(folder, { recursive: true, force: true })
  })

  it('runs packages, setup, environment and postInstall in order, and the second run installs nothing', async (ctx) => {
    needsMirror(ctx)
    const spec = {
      base,
      env: { GREETING: "it's $HOME" },
      provision: {
        ...nothing,
        packages: ['hello'],
        setup: ['hello >/setup.txt\r\necho "no input: $(cat)"\r\n'],
        postInstall: ['sh -lc "printf %s \\"\\$GREETING\\"" >/post.txt'],
      },
    }
    const first = createRecorder()
    await provisionWith(spec, { inside, reporter: first })
    expect(first.steps).toEqual(['inspect', 'packages', 'setup', 'environment', 'postInstall'])
    expect(first.lines).toContain('no input: ')
    const read = await inside.run({ argv: ['cat', '/setup.txt', '/post.txt'] })
    expect(read.stdout).toBe("Hello, world!\nit's $HOME")
    const second = createRecorder()
    await provisionWith(spec, { inside, reporter: second })
    expect(second.steps[1]).toBe('skip packages: all 1 are installed')
    const list = 'ls /var/cache/apt/archives/*.deb /tmp/holm-* 2>/dev/null'
    expect((await inside.run({ argv: ['sh', '-c', list] })).stdout).toBe('')
  })

  it('names a package that does not exist', async (ctx) => {
    needsMirror(ctx)
    const spec = { base, env: {}, provision: { ...nothing, packages: ['holm-no-such-package'] } }
    await expect(provisionWith(spec, { inside, reporter: createRecorder() })).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringContaining('package holm-no-such-package is not known to apt-get'),
    })
  })

  it('names the step, code and last lines of a failed script', async () => {
    const setup = ['true', 'echo about to fail\nfalse | true\necho never']
    const spec = { base, env: {}, provision: { ...nothing, setup } }
    await expect(provisionWith(spec, { inside, reporter: createRecorder() })).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: 'script setup 2 ended with code 1\nabout to fail',
    })
  })

  it('takes a tool from the distribution when its version fits, and skips it the second time', async (ctx) => {
    needsMirror(ctx)
    const spec = { base, env: {}, provision: { ...nothing, tools: { node: '18' } } }
    const first = createRecorder()
    await provisionWith(spec, { inside, reporter: first })
    expect(first.steps).toEqual(['inspect', 'tool node 18'])
    expect((await inside.run({ argv: ['node', '-p', '6 * 7'] })).stdout).toBe('42\n')
    const second = createRecorder()
    await provisionWith(spec, { inside, reporter: second })
    expect(second.steps[1]).toMatch(/^skip tool node 18: .*18\.\d+\.\d+ is there$/)
  })

  it("takes a tool from its makers' archive when the distribution has another version", async () => {
    const made = await mkdtemp(join(tmpdir(), 'holm-archive-'))
    await mkdir(join(made, 'go/bin'), { recursive: true })
    await writeFile(join(made, 'go/bin/go'), '#!/bin/sh\necho go version go9.9.1 linux/amd64\n', {
      mode: 0o755,
    })
    await writeFile(join(made, 'go/bin/gofmt'), '#!/bin/sh\n', { mode: 0o755 })
    await runner.run(['tar', '-czf', join(made, 'go.tgz'), '-C', made, 'go'])
    const archive = await readFile(join(made, 'go.tgz'))
    const sha256 = createHash('sha256').update(archive).digest('hex')
    const files = ['amd64', 'arm64'].map((arch) => ({
      filename: 'go.tgz',
      os: 'linux',
      arch,
      kind: 'archive',
      sha256,
    }))
    const index = JSON.stringify([{ version: 'go9.9.1', stable: true, files }])
    const server = createServer((request, response) =>
      response.end(request.url === '/go.tgz' ? archive : index),
    )
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    try {
      const mirrors = { go: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
      const spec = { base, env: {}, provision: { ...nothing, tools: { go: '9.9' } } }
      await provisionWith(spec, { inside, reporter: createRecorder(), mirrors })
      expect((await inside.run({ argv: ['go', 'version'] })).stdout).toBe('go version go9.9.1 linux/amd64\n')
    } finally {
      server.close()
      await rm(made, { recursive: true, force: true })
    }
  })

  it("reads the variables of the user's login shell", async () => {
    const env = await probeUserEnv('loginInteractiveShell', inside)
    expect(env).toMatchObject({ GREETING: "it's $HOME", HOME: '/root' })
    expect(Object.keys(env)).not.toContain('PWD')
  })
})
