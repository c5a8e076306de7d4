import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { requireFacet } from '@holm/core'
import type { Base, EnvironmentSpec, ExecRequest, Provider, ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext, readAll, waitFor } from '@holm/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSubject, loadImage, whyNoStandIn, type TestSubject } from './subject.ts'

const reason = whyNoStandIn()
const base: Base = await loadImage()
const options = { volumes: true }

describe(
  `lima (stand-in)${reason === undefined ? '' : `: ${reason}`}`,
  { skip: reason !== undefined },
  () => {
    let subject: TestSubject
    let provider: Provider
    let images: string
    const use = async (version?: string): Promise<void> => {
      subject = await createSubject({ images, ...(version !== undefined && { version }) })
      provider = subject.provider
    }
    beforeAll(async () => {
      images = await mkdtemp(path.join(tmpdir(), 'holm-lima-images-'))
    })
    afterAll(() => rm(images, { recursive: true, force: true }))
    beforeEach(() => use())
    afterEach(async () => {
      for (const { name } of await provider.list(context())) await provider.remove(name, options, context())
      await subject.dispose()
    })
    const context = (): ProviderContext => createTestContext(subject.context)
    const spec = (overrides: Partial<EnvironmentSpec> = {}): EnvironmentSpec =>
      createSpec({ name: 'box', base, ...overrides })
    const start = async (overrides: Partial<EnvironmentSpec> = {}): Promise<void> => {
      await provider.create(spec(overrides), context())
      await provider.start('box', context())
    }
    const run = async (script: string, request: Partial<ExecRequest> = {}) =>
      collect(await provider.exec('box', { argv: ['sh', '-c', script], cwd: '/', ...request }, context()))
    const folder = (name = 'box'): string => path.join(subject.home, `holm-test-${name}`)

    it('lives its life on version 1, too', async () => {
      await subject.dispose()
      await use('1.2.3')
      await provider.create(spec(), context())
      expect(await provider.probe(context())).toMatchObject({ usable: true, version: 'Lima 1.2.3' })
      await expect(run('true')).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
      await provider.start('box', context())
      expect(await run('echo in; exit 255')).toMatchObject({ text: 'in\n', code: 255 })
      await expect(provider.clone?.clone('box', spec({ name: 'two' }), context())).rejects.toMatchObject({
        code: 'HOLM_ENVIRONMENT_RUNNING',
      })
    })

    it('names the version that a facet needs', async () => {
      await subject.dispose()
      await use('1.1.1')
      await provider.create(spec(), context())
      await expect(provider.clone?.clone('box', spec({ name: 'two' }), context())).rejects.toMatchObject({
        code: 'HOLM_PROVIDER_UNAVAILABLE',
        message: 'limactl clone needs Lima 1.2.0 or newer, this is 1.1.1',
      })
    })

    it('takes Lima’s own image for a release of a distribution, and keeps what it stood for', async () => {
      const templates = path.join(subject.env['HOLM_STAND_IN_TEMPLATES'] ?? '', '_images')
      await mkdir(templates, { recursive: true })
      const location = base.kind === 'disk' ? base.path : ''
      await writeFile(
        path.join(templates, 'debian-12.yaml'),
        `images:\n- location: "${location}"\n  arch: "x86_64"\nmountTypesUnsupported: [9p]\n`,
      )
      await start({ base: { kind: 'image', reference: 'debian:12' }, labels: { kept: 'yes' } })
      expect((await provider.inspect('box', context())).labels).toEqual({ kept: 'yes' })
      const config = await readFile(path.join(folder(), 'lima.yaml'), 'utf8')
      expect(config).toContain(`- location: "${location}"\n  arch: "x86_64"\n`)
      expect(config).toContain('mountTypesUnsupported: ["9p"]')
      expect(config).not.toContain('base:')
      await expect(
        provider.create(spec({ name: 'other', base: { kind: 'image', reference: 'node:24' } }), context()),
      ).rejects.toMatchObject({ code: 'HOLM_IMAGE_MISSING' })
    })

    it('compares the digest of a named image, and leaves nothing when it is another', async () => {
      const location = base.kind === 'disk' ? base.path : ''
      const image = { location, digest: `sha256:${'0'.repeat(64)}` }
      const create = provider.create(spec({ options: { lima: { image } } }), context())
      await expect(create).rejects.toMatchObject({ code: 'HOLM_BASE_INVALID' })
      expect(existsSync(folder())).toBe(false)
    })

    it('leads from a port of this machine to a server inside, and to none that was not asked for', async () => {
      await start({ ports: [{ container: 8080, hostIp: '127.0.0.1', protocol: 'tcp' }] })
      const unasked = await findFree()
      for (const port of [8080, unasked]) await run(serve(port))
      const [binding] = (await provider.inspect('box', context())).ports
      const port = binding?.host ?? 0
      await waitFor(async () => (await ask(port)) === 'from 8080', { what: 'an answer from inside' })
      expect(await ask(unasked)).toBeUndefined()
    })

    it('exchanges a port that nobody named when it is taken at the next start', async () => {
      await provider.create(
        spec({ ports: [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }] }),
        context(),
      )
      const config = await readFile(path.join(folder(), 'lima.yaml'), 'utf8')
      const picked = Number(/hostPort: (\d+)/.exec(config)?.[1])
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(picked, '127.0.0.1', resolve))
      try {
        const { ports } = await provider.start('box', context())
        expect(ports).toHaveLength(1)
        expect(ports[0]?.host).not.toBe(picked)
      } finally {
        server.close()
      }
    })

    it('shows nothing of a program on any command line', async () => {
      await start()
      const secret = 'a-value-that-nobody-may-see'
      const process = await provider.exec(
        'box',
        { argv: ['sh', '-c', 'echo ready; exec sleep 311'], cwd: '/', env: { TOKEN: secret } },
        context(),
      )
      const lines = readdirSync('/proc')
        .filter((entry) => /^\d+$/.test(entry))
        .map((pid) => readCommandLine(pid))
      expect(lines.filter((line) => line.includes(secret))).toEqual([])
      await process.kill('SIGKILL')
      await collect(process)
    })

    it('finds what a killed create left, and makes it anew', async () => {
      await provider.create(spec({ labels: { mine: 'yes' } }), context())
      await copyFile(path.join(folder(), 'lima.yaml'), path.join(subject.home, '.holm', 'holm-test-box.yaml'))
      expect(await provider.list(context())).toMatchObject([
        { name: 'box', status: 'failed', labels: { mine: 'yes' }, reason: 'its creation was interrupted' },
      ])
      await expect(provider.start('box', context())).rejects.toMatchObject({
        code: 'HOLM_ENVIRONMENT_FAILED',
      })
      const state = await provider.create(spec({ labels: { mine: 'yes' } }), context())
      expect(state.status).toBe('stopped')
    })

    it('says that a host agent died, and starts again', async () => {
      await start()
      await run('printf kept >/root/file')
      process.kill(Number(await readFile(path.join(folder(), 'ha.pid'), 'utf8')), 'SIGKILL')
      const state = await waitFor(
        async () => {
          const found = await provider.inspect('box', context())
          return found.status === 'running' ? undefined : found
        },
        { what: 'the end of the host agent to show' },
      )
      expect(state).toMatchObject({
        status: 'failed',
        reason: 'qemu driver is running but host agent is not',
      })
      expect((await provider.start('box', context())).status).toBe('running')
      expect((await run('cat /root/file')).text).toBe('kept')
    })

    it('is busy while another process works on it, and takes over from a dead one', async () => {
      await provider.create(spec(), context())
      const lock = path.join(subject.home, '.holm', 'holm-test-box.lock')
      const stat = readFileSync(`/proc/${process.pid}/stat`, 'utf8')
      const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
      await symlink(JSON.stringify({ pid: process.pid, start: started }), lock)
      await expect(provider.start('box', context())).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_BUSY' })
      await rm(lock)
      await symlink(JSON.stringify({ pid: process.pid, start: '1' }), lock)
      expect((await provider.start('box', context())).status).toBe('running')
    })

    it('keeps namespaces apart, and leaves instances alone that are not its own', async () => {
      await provider.create(spec(), context())
      const other = subject.again('other')
      expect(await other.list(context())).toEqual([])
      await other.create(spec(), context())
      await other.remove('box', options, context())
      expect((await provider.inspect('box', context())).status).toBe('stopped')
      await mkdir(folder('mine'))
      await writeFile(path.join(folder('mine'), 'lima.yaml'), 'images: []\n')
      await expect(provider.create(spec({ name: 'mine' }), context())).rejects.toMatchObject({
        code: 'HOLM_ENVIRONMENT_CONFLICT',
      })
      await provider.remove('mine', options, context())
      expect(existsSync(path.join(folder('mine'), 'lima.yaml'))).toBe(true)
    })

    it('mounts a project with quotes and spaces in its path, and no other folder', async () => {
      const source = path.join(subject.home, '..', `a 'b' "c" {{.Dir}}`)
      await mkdir(source)
      await start({ mounts: [{ type: 'bind', source, target: '/work space', readonly: false }] })
      await run('printf made >here', { cwd: '/work space' })
      expect(await readFile(path.join(source, 'here'), 'utf8')).toBe('made')
    })

    it('refuses what Lima cannot have before anything is made', async () => {
      const volume = { type: 'volume', source: 'v', target: '/v', readonly: false } as const
      const system = { type: 'bind', source: '/srv', target: '/usr', readonly: true } as const
      for (const overrides of [{ network: 'none' }, { mounts: [volume] }, { mounts: [system] }])
        await expect(provider.create(spec(overrides), context())).rejects.toMatchObject({
          code: 'HOLM_BLUEPRINT_UNSUPPORTED',
        })
      expect(readdirSync(subject.home)).toEqual([])
    })

    it('leaves nothing behind', async () => {
      await start({ mounts: [{ type: 'tmpfs', target: '/scratch' }] })
      await run('sleep 312 >/dev/null 2>&1 </dev/null &')
      await readAll(requireFacet(provider, 'export').rootfs('box', context()))
      await provider.remove('box', options, context())
      expect(readdirSync(path.join(subject.home, '.holm'))).toEqual([])
      expect(existsSync(folder())).toBe(false)
      const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
      expect(mounts.filter((line) => line.includes(subject.home))).toEqual([])
      const left = readdirSync('/proc').filter(
        (pid) => /^\d+$/.test(pid) && readCommandLine(pid).includes('holm-test-box'),
      )
      expect(left.map((pid) => readCommandLine(pid))).toEqual([])
    })
  },
)

/** Answers every connection with its own number. */
function serve(port: number): string {
  const program = `use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => ${port}, Listen => 5, ReuseAddr => 1) or die; while (my $c = $s->accept) { print $c "from ${port}"; close $c }`
  return `perl -e '${program}' >/dev/null 2>&1 </dev/null &`
}

/** A port that nothing on this machine listens on. */
function findFree(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

function ask(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.setTimeout(5000, () => socket.destroy())
    socket.once('error', () => resolve(undefined))
    socket.once('close', () => resolve(Buffer.concat(chunks).toString()))
  })
}

function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
