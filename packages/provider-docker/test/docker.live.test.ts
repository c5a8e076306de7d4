import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collect, createSpec, createTestContext } from '@holm/testkit'
import type { Output } from '@holm/testkit'
import type { EnvironmentSpec, ExecRequest } from '@holm/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { label } from '../src/names.ts'
import { createProvider } from '../src/provider.ts'
import { liveSkip, loadLiveBase, loadLiveRootfs, namespace, openLive } from './live.ts'
import type { Live } from './live.ts'

const reason = liveSkip()
if (reason) process.stderr.write(`docker.live: skipped: ${reason}\n`)

describe.skipIf(reason)('docker, the engine itself', () => {
  const space = namespace('live')
  let live: Live
  let base: Awaited<ReturnType<typeof loadLiveBase>>
  let count = 0

  beforeAll(async () => {
    live = openLive({ namespace: space })
    base = await loadLiveBase()
  })

  afterAll(async () => {
    const states = await live.provider.list(createTestContext())
    await Promise.all(
      states.map(({ name }) => live.provider.remove(name, { volumes: true }, createTestContext())),
    )
    live.engine.dispose()
  })

  function specOf(overrides: Partial<EnvironmentSpec> = {}): EnvironmentSpec {
    const name = overrides.name ?? `e${++count}`
    const labels = { 'dev.holm.namespace': space, 'dev.holm.environment': name, 'dev.holm.hash': 'h1' }
    return createSpec({ base, labels, ...overrides, name })
  }

  async function up(overrides: Partial<EnvironmentSpec> = {}): Promise<string> {
    const spec = specOf(overrides)
    await live.provider.create(spec, createTestContext())
    await live.provider.start(spec.name, createTestContext())
    return spec.name
  }

  async function run(
    name: string,
    argv: readonly string[],
    request: Partial<ExecRequest> = {},
  ): Promise<Output> {
    return collect(await live.provider.exec(name, { argv, ...request }, createTestContext()))
  }

  async function shell(name: string, script: string): Promise<string> {
    const { text, errorText, code } = await run(name, ['sh', '-c', script])
    expect(`${code} ${errorText}`).toBe('0 ')
    return text.trim()
  }

  it('applies limits that the kernel shows inside', async () => {
    const name = await up({ resources: { memoryBytes: 64 << 20, cpus: 0.5, pids: 99 } })
    const read = (v1: string, v2: string): Promise<string> =>
      shell(name, `cat /sys/fs/cgroup/${v1} 2>/dev/null || cat /sys/fs/cgroup/${v2}`)
    expect(await read('memory/memory.limit_in_bytes', 'memory.max')).toBe(String(64 << 20))
    expect(await read('pids/pids.max', 'pids.max')).toBe('99')
    expect(await read('cpu/cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000/)
  })

  it('drops capabilities and forbids new privileges, and package tools still work', async () => {
    const name = await up()
    const status = await shell(name, 'cat /proc/self/status')
    expect(/NoNewPrivs:\s+1/.test(status)).toBe(true)
    // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE SYS_CHROOT AUDIT_WRITE SETFCAP
    expect(/CapBnd:\s+(\w+)/.exec(status)?.[1]).toBe('00000000a00404fb')
    expect(
      await shell(
        name,
        'useradd -m dev && su dev -c "id -un" && touch /x && chown dev /x && chmod 4755 /x && stat -c "%U %a" /x',
      ),
    ).toBe('dev\ndev 4755')
    expect(await shell(name, 'test ! -e /var/run/docker.sock && echo absent')).toBe('absent')
  })

  it('gives back what the blueprint names', async () => {
    const security = {
      privileged: false,
      capAdd: ['SYS_PTRACE'],
      capDrop: ['KILL'],
      securityOpt: ['no-new-privileges:false'],
      devices: ['/dev/fuse'],
    }
    const name = await up({ security })
    const status = await shell(name, 'cat /proc/self/status; ls /dev/fuse')
    const bound = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(status)?.[1] ?? '0'}`)
    expect([(bound >> 19n) & 1n, (bound >> 5n) & 1n]).toEqual([1n, 0n])
    expect(/NoNewPrivs:\s+0/.test(status)).toBe(true)
    expect(status).toContain('/dev/fuse')
  })

  it('publishes on 127.0.0.1 and the port leads inside', async () => {
    const name = await up({ ports: [{ container: 8000, hostIp: '127.0.0.1', protocol: 'tcp' }] })
    const server = await live.provider.exec(
      name,
      { argv: ['python3', '-u', '-m', 'http.server', '8000', '-d', '/etc'] },
      createTestContext(),
    )
    server.stderr.resume()
    await new Promise((resolve) => server.stdout.once('data', resolve))
    const [port] = (await live.provider.inspect(name, createTestContext())).ports
    expect(port).toMatchObject({ container: 8000, hostIp: '127.0.0.1', protocol: 'tcp' })
    const answer = await fetch(`http://127.0.0.1:${port?.host}/hostname`)
    expect((await answer.text()).trim()).toBe(name)
    await server.kill('SIGKILL')
    expect((await server.exited).code).toBe(137)
  })

  it('names a port that a program of this machine holds', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const spec = specOf({ ports: [{ container: 80, host: port, hostIp: '127.0.0.1', protocol: 'tcp' }] })
    await live.provider.create(spec, createTestContext())
    await expect(live.provider.start(spec.name, createTestContext())).rejects.toMatchObject({
      code: 'HOLM_PORT_TAKEN',
      details: { port },
    })
    await new Promise((resolve) => server.close(resolve))
    expect((await live.provider.start(spec.name, createTestContext())).status).toBe('running')
  })

  it('names the container that holds a port', async () => {
    const first = await up({ ports: [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }] })
    const [taken] = (await live.provider.inspect(first, createTestContext())).ports
    const spec = specOf({
      ports: [{ container: 80, host: taken?.host ?? 0, hostIp: '127.0.0.1', protocol: 'tcp' }],
    })
    await live.provider.create(spec, createTestContext())
    await expect(live.provider.start(spec.name, createTestContext())).rejects.toMatchObject({
      code: 'HOLM_PORT_TAKEN',
      details: { port: taken?.host, holder: `${space}-${first}` },
    })
  })

  it('says at once that an image is missing and cannot be had', async () => {
    const spec = specOf({ base: { kind: 'image', reference: 'localhost:1/holm/none:1' } })
    const started = performance.now()
    await expect(live.provider.create(spec, createTestContext())).rejects.toMatchObject({
      code: 'HOLM_IMAGE_MISSING',
      message: expect.stringContaining('localhost:1/holm/none:1'),
      hint: expect.stringContaining('holm base add'),
    })
    expect(performance.now() - started).toBeLessThan(20_000)
    expect((await live.provider.inspect(spec.name, createTestContext())).status).toBe('absent')
  })

  it('imports a tarball with progress in bytes, and once only', async () => {
    const rootfs = { ...(await loadLiveRootfs()), name: `${space}-import` }
    const first = createTestContext()
    const info = await live.provider.images?.prepare(rootfs, first)
    const sizes = first.updates.filter(({ unit, current }) => unit === 'bytes' && current !== undefined)
    expect(sizes.length).toBeGreaterThan(3)
    expect(sizes.at(-1)?.current).toBe(sizes.at(-1)?.total)
    const second = createTestContext()
    expect((await live.provider.images?.prepare(rootfs, second))?.id).toBe(info?.id)
    expect(second.updates).toEqual([])
    await live.provider.images?.remove(rootfs, createTestContext())
    expect(await live.provider.images?.inspect(rootfs, createTestContext())).toBeUndefined()
  })

  it('removes half an import when it is aborted', async () => {
    const rootfs = { ...(await loadLiveRootfs()), name: `${space}-half` }
    const abort = new AbortController()
    const context = { ...createTestContext({ signal: abort.signal }), progress: () => abort.abort() }
    const spec = specOf({ base: rootfs })
    await expect(live.provider.create(spec, context)).rejects.toMatchObject({ code: 'HOLM_INTERRUPTED' })
    expect(await live.provider.images?.inspect(rootfs, createTestContext())).toBeUndefined()
    expect((await live.provider.inspect(spec.name, createTestContext())).status).toBe('absent')
  })

  it('builds with .dockerignore obeyed, progress told, and the last lines in the error', async () => {
    const context = await mkdtemp(join(tmpdir(), 'holm-docker-build-'))
    const dockerfile = join(context, 'Dockerfile')
    // New each time: a step that the engine has in its cache says nothing.
    const word = randomBytes(4).toString('hex')
    await writeFile(join(context, '.dockerignore'), 'secret\n')
    await writeFile(join(context, 'secret'), 'x')
    await writeFile(join(context, 'kept'), 'y')
    await writeFile(
      dockerfile,
      `FROM ${base.reference}\nARG WORD\nCOPY . /ctx\nRUN echo "word $WORD" && ls /ctx > /seen\n`,
    )
    const build = { kind: 'build', context, dockerfile, args: { WORD: word } } as const
    const told = createTestContext()
    await live.provider.build?.build(build, told)
    expect(told.updates.map(({ message }) => message).join('\n')).toContain(`word ${word}`)
    const name = await up({ base: build })
    expect(await shell(name, 'cat /seen')).toBe('Dockerfile\nkept')
    await live.provider.remove(name, { volumes: true }, createTestContext())
    await live.provider.images?.remove(build, createTestContext())
    await writeFile(dockerfile, `FROM ${base.reference}\nRUN echo before the end && exit 3\n`)
    await expect(live.provider.build?.build(build, createTestContext())).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringMatching(/code: 3[\s\S]*before the end/),
    })
    await rm(context, { recursive: true })
  })

  it('makes a named network, lets environments meet by name, and removes it with the last', async () => {
    const network = `${space}-net`
    const first = await up({ network })
    const second = await up({ network })
    expect(await shell(first, `getent hosts ${space}-${second} | wc -l`)).toBe('1')
    await live.provider.remove(first, { volumes: true }, createTestContext())
    const docker = await live.engine.docker()
    const filters = { label: [`${label.network}=${space}-${network}`] }
    expect(await docker.listNetworks({ filters })).toHaveLength(1)
    await live.provider.remove(second, { volumes: true }, createTestContext())
    expect(await docker.listNetworks({ filters })).toHaveLength(0)
  })

  it('keeps volumes, also anonymous ones, over a restore, and leaves none', async () => {
    const name = await up({ mounts: [{ type: 'volume', target: '/anonymous', readonly: false }] })
    await shell(name, 'echo old > /file; echo data > /anonymous/file')
    await live.provider.snapshots?.create(name, 'with spaces', createTestContext())
    await shell(name, 'echo new > /file')
    await live.provider.snapshots?.restore(name, 'with spaces', createTestContext())
    await live.provider.start(name, createTestContext())
    expect(await shell(name, 'cat /file /anonymous/file')).toBe('old\ndata')
    const docker = await live.engine.docker()
    const [volume] = (await docker.getContainer(`${space}-${name}`).inspect()).Mounts
    await live.provider.remove(name, { volumes: false }, createTestContext())
    await expect(docker.getVolume(volume?.Name ?? '').inspect()).rejects.toMatchObject({ statusCode: 404 })
    expect(
      await docker.listImages({
        filters: JSON.stringify({ label: [`${label.snapshotOf}=${space}-${name}`] }),
      }),
    ).toEqual([])
  })

  it('says so when a container is removed behind its back, also while a program runs', async () => {
    const name = await up()
    const argv = ['sh', '-c', 'echo up; sleep 60']
    const program = await live.provider.exec(name, { argv }, createTestContext())
    program.stderr.resume()
    await new Promise((resolve) => program.stdout.once('data', resolve))
    const docker = await live.engine.docker()
    await docker.getContainer(`${space}-${name}`).remove({ force: true })
    await expect(
      program.exited.then(
        ({ code }) => code,
        ({ code }: { code: string }) => code,
      ),
    ).resolves.toBeOneOf([137, 'HOLM_ENVIRONMENT_NOT_FOUND', 'HOLM_ENVIRONMENT_FAILED'])
    expect((await live.provider.inspect(name, createTestContext())).status).toBe('absent')
    await expect(live.provider.exec(name, { argv: ['true'] }, createTestContext())).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_NOT_FOUND',
    })
  })

  it('tells why a main process ended', async () => {
    const name = await up()
    await shell(name, 'kill -SEGV $(pgrep -P 1 -f trap)')
    const docker = await live.engine.docker()
    await docker.getContainer(`${space}-${name}`).wait()
    const state = await live.provider.inspect(name, createTestContext())
    expect(state).toMatchObject({ status: 'failed', reason: 'the main process ended with exit code 139' })
    const listed = (await live.provider.list(createTestContext())).find((each) => each.name === name)
    expect(listed).toMatchObject({ status: 'failed', reason: state.reason })
    expect((await live.provider.start(name, createTestContext())).status).toBe('running')
  })

  it('has a root that can install although programs run as another user', async () => {
    const name = await up({ user: 'nobody' })
    expect(await shell(name, 'id -un')).toBe('nobody')
    expect(
      (await run(name, ['sh', '-c', 'touch /f && chown 7 /f && stat -c %u /f'], { user: 'root' })).text,
    ).toBe('7\n')
    await live.provider.clone?.clone(name, specOf({ name: 'cloned' }), createTestContext())
    await live.provider.start('cloned', createTestContext())
    expect(await shell('cloned', 'id -un')).toBe('nobody')
  })

  it('leaves no image of a clone of a clone whose origins are gone', async () => {
    const names = [await up(), 'heir', 'heir-of-heir', 'last']
    const [first = ''] = names
    await shell(first, 'echo kept > /file')
    await live.provider.stop(first, { graceMs: 100 }, createTestContext())
    for (const [index, name] of names.slice(1).entries()) {
      const origin = names[index] ?? ''
      await live.provider.clone?.clone(origin, specOf({ name }), createTestContext())
      await live.provider.remove(origin, { volumes: false }, createTestContext())
    }
    await live.provider.start('last', createTestContext())
    expect(await shell('last', 'cat /file')).toBe('kept')
    await live.provider.remove('last', { volumes: false }, createTestContext())
    const images = await (
      await live.engine.docker()
    ).listImages({ filters: JSON.stringify({ label: [label.cloneOf] }) })
    const tags = images.flatMap(({ RepoTags }) => RepoTags ?? [])
    expect(tags.filter((tag) => tag.includes(`${space}-heir`) || tag.includes(`${space}-${first}`))).toEqual(
      [],
    )
  })

  it('gives the user the caller’s ids, and its home with it', async () => {
    const engine = { ...live.engine, callerIds: { uid: 4321, gid: 4322 } }
    const context = await mkdtemp(join(tmpdir(), 'holm-docker-user-'))
    const dockerfile = join(context, 'Dockerfile')
    await writeFile(
      dockerfile,
      `FROM ${base.reference}\nRUN useradd -m dev && touch /home/dev/file\nUSER dev\n`,
    )
    const provider = createProvider(engine)
    const build = { kind: 'build', context, dockerfile, args: {} } as const
    const spec = specOf({ base: build, matchUserId: true })
    await provider.create(spec, createTestContext())
    for (const _ of [1, 2]) {
      await provider.start(spec.name, createTestContext())
      expect(await shell(spec.name, 'id -u; id -g; id -un; stat -c "%u:%g" ~/file')).toBe(
        '4321\n4322\ndev\n4321:4322',
      )
      await provider.stop(spec.name, { graceMs: 1000 }, createTestContext())
    }
    await provider.remove(spec.name, { volumes: true }, createTestContext())
    await provider.images?.remove(build, createTestContext())
    await rm(context, { recursive: true })
  })

  it('kills by the variable inside when this machine’s /proc does not show the process', async () => {
    const { searchScript, markerVariable } = await import('../src/exec-kill.ts')
    const name = await up()
    const program = await live.provider.exec(
      name,
      { argv: ['sleep', '61'], env: { MARK: 'unique value' } },
      createTestContext(),
    )
    program.stdout.resume()
    program.stderr.resume()
    expect(await shell(name, 'until pgrep -f "sleep 61" >/dev/null; do :; done; echo up')).toBe('up')
    const searched = await run(name, ['/bin/sh', '-c', searchScript, 'sh', '15', `MARK=unique value`])
    expect(searched.code).toBe(0)
    expect((await program.exited).code).toBe(143)
    expect(
      (await run(name, ['/bin/sh', '-c', searchScript, 'sh', '15', `${markerVariable}=none`])).code,
    ).toBe(1)
  })

  it('lists fifty environments with one call', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `many${index}`)
    await Promise.all(names.map((name) => live.provider.create(specOf({ name }), createTestContext())))
    const started = performance.now()
    const states = await live.provider.list(createTestContext())
    process.stderr.write(
      `docker.live: list of ${states.length}: ${(performance.now() - started).toFixed(1)} ms\n`,
    )
    expect(states.filter(({ name }) => name.startsWith('many'))).toHaveLength(50)
    await Promise.all(names.map((name) => live.provider.remove(name, { volumes: true }, createTestContext())))
  })
})
