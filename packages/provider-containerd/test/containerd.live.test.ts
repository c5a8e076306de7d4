import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { collect, createSpec, createTar, createTestContext, parseTar, readAll } from '@holm/testkit'
import type { Output, TestContext } from '@holm/testkit'
import { requireFacet } from '@holm/core'
import type { Base, EnvironmentSpec, ExecRequest } from '@holm/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findEnvironment } from '../src/environment.ts'
import { snapshotter } from '../src/names.ts'
import { liveSkip, loadLiveBase, openLive, runner } from './live.ts'
import type { Live } from './live.ts'
import { testNetworks } from './network-tests.ts'

const reason = liveSkip()
if (reason) process.stderr.write(`containerd.live: skipped: ${reason}\n`)

const stop = { graceMs: 2000 }

describe.skipIf(reason)('containerd itself', () => {
  let live: Live
  let base: Awaited<ReturnType<typeof loadLiveBase>>
  let count = 0

  beforeAll(async () => {
    live = await openLive()
    base = await loadLiveBase()
  })

  afterAll(async () => {
    for (const { name } of await live.provider.list(context()))
      await live.provider.remove(name, { volumes: true }, context())
    await live.provider.images?.remove(base, context())
    await live.dispose()
  })

  function context(): TestContext {
    return createTestContext({ runner })
  }

  function specOf(overrides: Partial<EnvironmentSpec> = {}): EnvironmentSpec {
    const name = overrides.name ?? `e${++count}`
    return createSpec({ base, network: 'none', hostname: name, ...overrides, name })
  }

  async function up(overrides: Partial<EnvironmentSpec> = {}): Promise<string> {
    const spec = specOf(overrides)
    await live.provider.create(spec, context())
    await live.provider.start(spec.name, context())
    return spec.name
  }

  async function run(
    name: string,
    argv: readonly string[],
    request: Partial<ExecRequest> = {},
  ): Promise<Output> {
    return collect(await live.provider.exec(name, { argv, ...request }, context()))
  }

  async function shell(name: string, script: string, request: Partial<ExecRequest> = {}): Promise<string> {
    const { text, errorText, code } = await run(name, ['sh', '-c', script], request)
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

  it('drops capabilities, forbids new privileges and user namespaces, and package tools still work', async () => {
    const name = await up()
    const status = await shell(name, 'cat /proc/self/status')
    expect(/NoNewPrivs:\s+1/.test(status)).toBe(true)
    expect(/Seccomp:\s+2/.test(status)).toBe(true)
    // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE SYS_CHROOT AUDIT_WRITE SETFCAP
    expect(/CapBnd:\s+(\w+)/.exec(status)?.[1]).toBe('00000000a00404fb')
    expect((await run(name, ['unshare', '-U', 'true'])).code).not.toBe(0)
    expect(
      await shell(
        name,
        'useradd -m dev && su dev -c "id -un" && touch /x && chown dev /x && chmod 4755 /x && stat -c "%U %a" /x',
      ),
    ).toBe('dev\ndev 4755')
    const user = await shell(name, 'id -un; echo $HOME; grep CapEff /proc/self/status', { user: 'dev' })
    expect(user).toMatch(/^dev\n\/home\/dev\nCapEff:\s+0+$/)
    await expect(run(name, ['id'], { user: 'nobody-here' })).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
      message: expect.stringContaining('nobody-here'),
    })
  })

  it('gives back what the blueprint names', async () => {
    const security = {
      privileged: false,
      capAdd: ['SYS_PTRACE'],
      capDrop: ['KILL'],
      securityOpt: ['no-new-privileges:false', 'seccomp=unconfined'],
      devices: ['/dev/fuse'],
    }
    const name = await up({ security })
    const status = await shell(name, 'cat /proc/self/status; ls /dev/fuse')
    const bound = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(status)?.[1] ?? '0'}`)
    expect([(bound >> 19n) & 1n, (bound >> 5n) & 1n]).toEqual([1n, 0n])
    expect(status).toMatch(/NoNewPrivs:\s+0[\s\S]*Seccomp:\s+0[\s\S]*\/dev\/fuse/)
  })

  it('publishes on 127.0.0.1, names who holds a port, and has its own names in /etc', async () => {
    const port = { container: 8000, hostIp: '127.0.0.1', protocol: 'tcp' } as const
    const name = await up({ network: 'default', ports: [port] })
    const argv = ['python3', '-u', '-m', 'http.server', '8000', '-d', '/etc']
    const server = await live.provider.exec(name, { argv }, context())
    server.stderr.resume()
    await new Promise((resolve) => server.stdout.once('data', resolve))
    const [binding] = (await live.provider.inspect(name, context())).ports
    const answer = await fetch(`http://127.0.0.1:${binding?.host}/hostname`)
    expect((await answer.text()).trim()).toBe(name)
    expect(await shell(name, `getent hosts ${name}`)).toMatch(
      new RegExp(`^10\\.\\d+\\.\\d+\\.\\d+ +${name}$`),
    )
    const second = specOf({ network: 'default', ports: [{ ...port, host: binding?.host ?? 0 }] })
    await live.provider.create(second, context())
    await expect(live.provider.start(second.name, context())).rejects.toMatchObject({
      code: 'HOLM_PORT_TAKEN',
      details: { holder: `environment ${name}` },
    })
    await server.kill('SIGKILL')
    expect((await server.exited).code).toBe(137)
    await live.provider.stop(name, stop, context())
    expect((await live.provider.start(second.name, context())).status).toBe('running')
  })

  it('names a port that a program of this machine holds', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const ports = [{ container: 80, host: port, hostIp: '127.0.0.1', protocol: 'tcp' }] as const
    const spec = specOf({ network: 'default', ports })
    await live.provider.create(spec, context())
    const refused = { code: 'HOLM_PORT_TAKEN', details: { port } }
    await expect(live.provider.start(spec.name, context())).rejects.toMatchObject(refused)
    await new Promise((resolve) => server.close(resolve))
    expect((await live.provider.start(spec.name, context())).status).toBe('running')
  })

  it.each(['tar', 'tar.gz', 'tar.zst'])('imports a %s once, with progress in bytes', async (kind) => {
    const file = path.join(live.engine.folder, `small.${kind}`)
    const tar = createTar([{ path: 'noise', mode: 0o644, data: randomBytes(20 << 20) }])
    const packed =
      { tar, 'tar.gz': gzipSync(tar, { level: 1 }), 'tar.zst': zstdCompressSync(tar) }[kind] ?? tar
    await writeFile(file, packed)
    const small: Base = {
      kind: 'rootfs',
      name: 'small',
      path: file,
      sha256: createHash('sha256').update(packed).digest('hex'),
    }
    const first = context()
    const { prepare, inspect, remove } = requireFacet(live.provider, 'images')
    const info = await prepare(small, first)
    const sizes = first.updates.filter(({ unit, current }) => unit === 'bytes' && current !== undefined)
    expect(sizes.length).toBeGreaterThan(3)
    expect(sizes.at(-1)?.current).toBe(sizes.at(-1)?.total)
    const second = context()
    expect((await prepare({ ...small, name: 'another name of the same file' }, second)).id).toBe(info.id)
    expect(second.updates).toEqual([])
    await remove(small, context())
    expect(await inspect(small, context())).toBeUndefined()
  })

  it('says when a tarball is none', async () => {
    const file = path.join(live.engine.folder, 'text.tar')
    await writeFile(file, 'no archive'.repeat(1000))
    const text: Base = { kind: 'rootfs', name: 'text', path: file, sha256: '1'.repeat(64) }
    await expect(live.provider.create(specOf({ base: text }), context())).rejects.toMatchObject({
      code: 'HOLM_BASE_INVALID',
      message: expect.stringContaining(file),
    })
  })

  it('leaves nothing of an import that is aborted', async () => {
    const other = await openLive()
    const abort = new AbortController()
    const ctx = { ...context(), signal: abort.signal, progress: () => abort.abort() }
    await expect(other.provider.create(specOf(), ctx)).rejects.toMatchObject({ code: 'HOLM_INTERRUPTED' })
    expect(await other.provider.list(context())).toEqual([])
    expect(await other.provider.images?.inspect(base, context())).toBeUndefined()
    await other.dispose()
  })

  it('fills a new volume with what the base has there', async () => {
    const mounts = [{ type: 'volume', source: 'logs', target: '/var/cache', readonly: false }] as const
    const name = await up({ mounts })
    expect(await shell(name, 'ls -d /var/cache/apt; stat -c %a /var/cache')).toBe('/var/cache/apt\n755')
  })

  it('clones a running environment as it is, what was removed included', async () => {
    const name = await up()
    await shell(
      name,
      'rm /etc/issue; rm -r /usr/share/common-licenses; mkdir /usr/share/common-licenses; echo a > /kept',
    )
    const clone = specOf()
    await live.provider.clone?.clone(name, clone, context())
    expect((await live.provider.inspect(name, context())).status).toBe('running')
    await live.provider.start(clone.name, context())
    const script = 'test ! -e /etc/issue && ls -A /usr/share/common-licenses && cat /kept'
    expect(await shell(clone.name, script)).toBe('a')
  })

  it('clones of a stopped one stand on one layer, which goes with the last of them', async () => {
    const name = await up()
    await shell(name, 'echo origin > /file')
    await live.provider.stop(name, stop, context())
    const clones = Array.from({ length: 3 }, () => specOf())
    const { clone } = requireFacet(live.provider, 'clone')
    await Promise.all(clones.map((spec) => clone(name, spec, context())))
    const parents = await Promise.all(clones.map(({ name: each }) => parentOf(each)))
    expect(new Set(parents).size).toBe(1)
    await live.provider.remove(name, { volumes: true }, context())
    for (const { name: each } of clones) {
      await live.provider.start(each, context())
      expect(await shell(each, 'cat /file')).toBe('origin')
      await live.provider.remove(each, { volumes: true }, context())
    }
    const client = await live.engine.client()
    await expect(client.call('Snapshots.Stat', { snapshotter, key: parents[0] ?? '' })).rejects.toMatchObject(
      {
        code: 5,
      },
    )
  })

  async function parentOf(name: string): Promise<string> {
    const client = await live.engine.client()
    const found = await findEnvironment(client, name)
    const key = found?.container.snapshotKey ?? ''
    return (await client.call('Snapshots.Stat', { snapshotter, key })).info.parent
  }

  it('removes a snapshot by name although the environment stands on it', async () => {
    const name = await up()
    await live.provider.stop(name, stop, context())
    await live.provider.snapshots?.create(name, 'one', context())
    await live.provider.snapshots?.remove(name, 'one', context())
    expect(await live.provider.snapshots?.list(name, context())).toEqual([])
    await live.provider.start(name, context())
    expect(await shell(name, 'echo still here')).toBe('still here')
  })

  it('copies no further than the environment, whatever links are in it', async () => {
    const name = await up()
    await shell(name, 'ln -s /../../../../etc /out; ln -s /etc/hostname /root/link')
    const tar = createTar([{ path: 'out/put', mode: 0o644, data: Buffer.from('x') }])
    await live.provider.files?.put(name, { path: '/', tar: readable(tar) }, context())
    expect(await shell(name, 'cat /etc/put')).toBe('x')
    await expect(readFile('/etc/put')).rejects.toMatchObject({ code: 'ENOENT' })
    const packed = await readAll(get(name, '/root/link'))
    // The link itself, and nothing of what it names: on this machine or inside.
    expect([packed.includes('link'), parseTar(packed)]).toEqual([true, []])
  })

  function get(name: string, file: string): AsyncIterable<Uint8Array> {
    return requireFacet(live.provider, 'files').get(name, file, context())
  }

  it('tells why a main process ended, and starts again', async () => {
    const ports = [{ container: 7000, hostIp: '127.0.0.1', protocol: 'tcp' }] as const
    const name = await up({ ports, network: 'default' })
    const [port] = (await live.provider.inspect(name, context())).ports
    const rules = async (): Promise<string> => (await runner.run(['iptables-save'])).stdout
    expect(await rules()).toContain(`--dport ${port?.host} `)
    // It may be ended with the environment before it is told that the signal was sent.
    await run(name, ['sh', '-c', 'kill -SEGV $(pgrep -P 1 -f trap)'])
    const client = await live.engine.client()
    await client.call('Tasks.Wait', { containerId: name }, { timeoutMs: 10_000 })
    const state = await live.provider.inspect(name, context())
    expect(state).toMatchObject({ status: 'failed', reason: 'the main process ended with exit code 139' })
    expect((await live.provider.list(context())).find((each) => each.name === name)).toEqual(state)
    // Nobody stopped it: what it held of this machine is let go all the same.
    expect(await rules()).not.toContain(`--dport ${port?.host} `)
    expect((await live.provider.start(name, context())).status).toBe('running')
  })

  testNetworks(() => ({ live, base }))

  it('says so when a mount’s folder is not there', async () => {
    const mounts = [{ type: 'bind', source: '/nonexistent/folder', target: '/x', readonly: false }] as const
    const spec = specOf({ mounts })
    await live.provider.create(spec, context())
    await expect(live.provider.start(spec.name, context())).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
      message: expect.stringContaining('/nonexistent/folder'),
    })
    expect((await live.provider.inspect(spec.name, context())).status).toBe('stopped')
  })
})

async function* readable(data: Uint8Array): AsyncIterable<Uint8Array> {
  yield data
}
