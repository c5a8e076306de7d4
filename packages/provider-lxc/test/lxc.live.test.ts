import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { EnvironmentSpec, ExecRequest, PortBinding, Provider, ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext, waitFor } from '@holm/testkit'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSubject, loadRootfs, runner, whyNot, type TestSubject } from './subject.ts'

const context = (signal?: AbortSignal): ProviderContext =>
  createTestContext({ runner, ...(signal ? { signal } : {}) })
const { base } = loadRootfs()
const reason = await whyNot()
const stop = { graceMs: 2000 }
const security = { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] }

/** Unpacked once for all tests of this file. */
const cache = mkdtempSync(path.join(tmpdir(), 'holm-lxc-cache-'))
afterAll(() => rmSync(cache, { recursive: true, force: true }))

describe(`lxc specifics${reason === undefined ? '' : `: ${reason}`}`, { skip: reason !== undefined }, () => {
  let subject: TestSubject
  let provider: Provider
  beforeEach(async () => {
    subject = await createSubject(cache)
    provider = subject.provider
  })
  afterEach(async () => {
    for (const { name } of await provider.list(context()))
      await provider.remove(name, { volumes: true }, context())
    await subject.dispose()
  })

  const specOf = (overrides: Partial<EnvironmentSpec> = {}): EnvironmentSpec =>
    createSpec({ name: 'box', ...(base ? { base } : {}), ...overrides })
  const up = async (overrides: Partial<EnvironmentSpec> = {}): Promise<string> => {
    const spec = specOf(overrides)
    await provider.create(spec, context())
    await provider.start(spec.name, context())
    return spec.name
  }
  const run = async (
    script: string,
    { name = 'box', ...request }: Partial<ExecRequest> & { name?: string } = {},
  ): Promise<{ code: number; text: string; errorText: string }> =>
    collect(await provider.exec(name, { argv: ['sh', '-c', script], ...request }, context()))
  const folderOf = (name: string): string => path.join(subject.folder, 'data/test/environments', name)
  const layers = (): string[] => {
    const folder = path.join(subject.folder, 'data/test/layers')
    return existsSync(folder) ? readdirSync(folder) : []
  }

  describe('isolation', () => {
    it('keeps kernel settings, devices and mounts out of reach of root inside', async () => {
      await up()
      const { text } = await run(`
        for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper /sys/power/state; do
          [ ! -e "$f" ] || { (: >>"$f") 2>/dev/null && echo "$f"; }
        done
        mount -t tmpfs x /mnt 2>/dev/null && echo mounted
        mount -o remount,rw /sys 2>/dev/null && echo remounted
        mknod /tmp/disk b 254 0 2>/dev/null && head -c1 /tmp/disk >/dev/null 2>&1 && echo disk
        unshare --user true 2>/dev/null && echo namespaces
        date -s @0 >/dev/null 2>&1 && echo clock
        head -c1 /proc/kcore 2>/dev/null | grep -q . && echo kcore
        hostname other 2>/dev/null && echo hostname
        true`)
      expect(
        text
          .trim()
          .split('\n')
          .filter((line) => line !== '' && line !== 'namespaces'),
      ).toEqual([])
      const status = (await run('cat /proc/self/status')).text
      expect(status).toMatch(/NoNewPrivs:\s1/)
      expect(status).toMatch(/Seccomp:\s2/)
      expect(status).toMatch(/CapBnd:\s00000000a00404fb/)
    })

    it('gives what the blueprint asks for', async () => {
      const wish = { ...security, capAdd: ['SYS_TIME'], capDrop: ['CHOWN'], devices: ['/dev/fuse'] }
      if (!existsSync('/dev/fuse')) wish.devices = ['/dev/null']
      await up({ security: wish })
      const { text } = await run(`grep CapBnd /proc/self/status; head -c0 <${wish.devices[0]} && echo opened`)
      expect(BigInt(`0x${/CapBnd:\s+(\w+)/.exec(text)?.[1]}`) & ((1n << 25n) | 1n)).toBe(1n << 25n)
      expect(text).toContain('opened')
    })

    it('a privileged container may mount', async () => {
      await up({ security: { ...security, privileged: true } })
      expect((await run('mount -t tmpfs x /mnt && echo mounted')).text).toBe('mounted\n')
    })

    it('applies limits inside', async () => {
      await up({ resources: { cpus: 0.5, memoryBytes: 128 * 1024 * 1024, pids: 50 } })
      const { limits } = await provider.inspect('box', context())
      expect(limits.map(({ name, value }) => [name, value])).toEqual([
        ['cpus', 0.5],
        ['memory', 128 * 1024 * 1024],
        ['pids', 50],
      ])
      expect(limits.every(({ enforcedBy }) => enforcedBy?.startsWith('cgroup v'))).toBe(true)
      const started = performance.now()
      await run('i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done', {})
      const alone = performance.now() - started
      expect(alone).toBeGreaterThan(100)
      const sampled = await provider.metrics?.sample('box', context())
      expect(sampled?.memoryLimitBytes).toBe(128 * 1024 * 1024)
    })

    it('resolves names, knows its own, and has shared memory of the wished size', async () => {
      await up({ hostname: 'my-host', options: { lxc: { shmSize: 8 * 1024 * 1024 } } })
      const { text } = await run(
        'hostname; cat /etc/hostname; getent hosts my-host; grep -c nameserver /etc/resolv.conf; df -k /dev/shm | tail -1; ls /dev/mqueue',
      )
      expect(text).toMatch(/^my-host\nmy-host\n10\.213\.\d+\.\d+\s+my-host\n/)
      expect(text).toMatch(/\s8192\s/)
    })
  })

  describe('users', () => {
    it('has all groups of the user, its home, and a terminal that belongs to nobody else', async () => {
      await up()
      await run('useradd -m -u 1234 dev && groupadd -g 7777 extra && usermod -aG extra dev')
      expect((await run('id -u; id -G; pwd; echo $HOME $USER', { user: 'dev' })).text).toBe(
        '1234\n1234 7777\n/home/dev\n/home/dev dev\n',
      )
      expect((await run('id -u; id -g; id -G', { user: '1234:50' })).text).toBe('1234\n50\n50 7777\n')
      const program = await provider.exec(
        'box',
        { argv: ['sh', '-c', 'tty; id -G'], user: 'dev', stdin: 'pipe', pty: { cols: 80, rows: 24 } },
        context(),
      )
      const { text } = await collect(program)
      expect(text).toMatch(/^\/dev\/pts\/\d+\r\n1234 7777\r\n$/)
    })

    it('an unknown user or folder is HOLM_USAGE', async () => {
      await up()
      await expect(run('true', { user: 'nobody-here' })).rejects.toMatchObject({ code: 'HOLM_USAGE' })
      await expect(run('true', { cwd: '/none' })).rejects.toMatchObject({ code: 'HOLM_USAGE' })
      await expect(run('true', { cwd: '/etc/passwd' })).rejects.toMatchObject({ code: 'HOLM_USAGE' })
    })

    it('keeps values of variables out of what others can read', async () => {
      await up({ env: { 'odd.name': 'odd value', LD_PRELOAD: '/nonexistent.so' } })
      const program = await provider.exec(
        'box',
        { argv: ['sleep', '30'], env: { SECRET_TOKEN: 'do-not-tell' } },
        context(),
      )
      const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid))
      const lines = pids.map((pid) =>
        existsSync(`/proc/${pid}/cmdline`) ? safeRead(`/proc/${pid}/cmdline`) : '',
      )
      expect(lines.filter((line) => line.includes('do-not-tell'))).toEqual([])
      await program.kill('SIGKILL')
      expect((await collect(program)).code).toBe(137)
      const seen = await collect(await provider.exec('box', { argv: ['env'] }, context()))
      expect(seen.text).toContain('odd.name=odd value\n')
      expect(seen.text).toContain('LD_PRELOAD=/nonexistent.so\n')
      expect(seen.text).not.toContain('HOLM_V')
    })
  })

  describe('network', () => {
    it('publishes TCP and UDP on 127.0.0.1, also from other environments’ point of view', async () => {
      const ports = [
        { container: 8080, hostIp: '127.0.0.1', protocol: 'tcp' },
        { container: 9090, hostIp: '127.0.0.1', protocol: 'udp' },
      ] as const
      await up({ ports })
      const [tcp, udp] = (await provider.inspect('box', context())).ports as [PortBinding, PortBinding]
      const script = `
        use IO::Socket::INET;
        my $t = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;
        my $u = IO::Socket::INET->new(LocalPort => 9090, Proto => 'udp') or die;
        if (!fork) { while (my $c = $t->accept) { my $l = <$c>; print $c "tcp $l"; close $c } }
        if (!fork) { while ($u->recv(my $m, 100)) { $u->send("udp $m") } }
        print "ready\\n"; close STDOUT; sleep 60;`
      const server = await provider.exec('box', { argv: ['perl', '-e', `$| = 1; ${script}`] }, context())
      await new Promise((resolve) => server.stdout.once('data', resolve))
      expect(await askTcp(tcp.host, 'hello\n')).toBe('tcp hello\n')
      expect(await askUdp(udp.host, 'hello')).toBe('udp hello')
      // A neighbour reaches it by its address, and not this machine's 127.0.0.1 by the bridge.
      await up({ name: 'other' })
      const address = (await run("sed -n 's/\\t.*//p' /etc/hosts | tail -1")).text.trim()
      const ask = `perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(PeerAddr => "${address}:8080", Timeout => 3) or exit 1; print $s "x\\n"; print <$s>'`
      expect((await run(ask, { name: 'other' })).text).toBe('tcp x\n')
      await server.kill('SIGKILL')
    })

    it('named networks are apart from each other, and nothing of them is left', async () => {
      const before = await subject.networks()
      await up({ name: 'one', network: 'front' })
      await up({ name: 'two', network: 'back' })
      const address = (await run("sed -n 's/\\t.*//p' /etc/hosts | tail -1", { name: 'two' })).text.trim()
      const knock = `perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(PeerAddr => "${address}:22", Timeout => 1); print $!{ECONNREFUSED} ? "reached" : "away"'`
      expect((await run(knock, { name: 'two' })).text).toBe('reached')
      expect((await run(knock, { name: 'one' })).text).toBe('away')
      for (const name of ['one', 'two']) await provider.stop(name, stop, context())
      expect(await subject.networks()).toEqual(before)
      expect((await runner.run(['iptables-save'])).stdout).not.toContain('holm lxc front')
    })

    it('none has only itself, host has what this machine has', async () => {
      await up({ name: 'alone', network: 'none' })
      expect((await run('grep -c : /proc/net/dev', { name: 'alone' })).text).toBe('1\n')
      await up({ name: 'shared', network: 'host' })
      expect((await run('cat /proc/net/dev', { name: 'shared' })).text).toContain('lo:')
      expect((await run('readlink /proc/self/ns/net', { name: 'shared' })).text.trim()).toBe(
        (await runner.run(['readlink', '/proc/self/ns/net'])).stdout.trim(),
      )
    })
  })

  describe('the base’s own init', () => {
    it('is started, told to end in its own way, and may be missing', async () => {
      await provider.create(specOf({ main: 'base', env: { GREETING: 'hello there' } }), context())
      await expect(provider.start('box', context())).rejects.toMatchObject({
        code: 'HOLM_ENVIRONMENT_FAILED',
        message: expect.stringContaining('init') as string,
      })
      const init =
        '#!/bin/sh\ntrap "echo bye >/bye; exit 0" PWR\necho "$GREETING" >/greeting\nwhile :; do sleep 1; done\n'
      await mkdir(path.join(folderOf('box'), 'upper/usr/sbin'), { recursive: true })
      await writeFile(path.join(folderOf('box'), 'upper/usr/sbin/init'), init, { mode: 0o755 })
      await provider.start('box', context())
      await waitFor(async () => (await run('cat /greeting 2>/dev/null')).text === 'hello there\n', {
        what: 'the greeting',
      })
      await provider.stop('box', { graceMs: 5000 }, context())
      expect(await readFile(path.join(folderOf('box'), 'upper/bye'), 'utf8')).toBe('bye\n')
    })

    it('a main process that ends is told', async () => {
      await provider.create(specOf({ main: 'base' }), context())
      await mkdir(path.join(folderOf('box'), 'upper/usr/sbin'), { recursive: true })
      const init = '#!/bin/sh\nuntil [ -e /end ]; do sleep 0.05; done\n'
      await writeFile(path.join(folderOf('box'), 'upper/usr/sbin/init'), init, { mode: 0o755 })
      await provider.start('box', context())
      await run('touch /end')
      await waitFor(async () => (await provider.inspect('box', context())).status === 'stopped', {
        what: 'its end',
      })
      expect(await provider.inspect('box', context())).toMatchObject({
        reason: 'its main process ended',
        ports: [],
      })
      // Nobody stopped it: its address goes with it all the same, as soon as somebody looks.
      await waitFor(async () => (await provider.list(context())) && (await subject.networks()).length === 0, {
        what: 'the end of its network',
      })
      await run('true').catch(() => undefined)
      await expect(run('true')).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
      await provider.stop('box', stop, context())
      expect(await provider.inspect('box', context())).not.toHaveProperty('reason')
      expect(await subject.networks()).toEqual([])
    })
  })

  describe('layers', () => {
    it('clones of a stopped environment share what it wrote; each goes its own way; nothing is left', async () => {
      await up()
      await run('echo one >/file; echo gone >/doomed; mkdir /dir; echo x >/dir/x')
      await provider.stop('box', stop, context())
      for (const name of ['c1', 'c2', 'c3']) await provider.clone?.clone('box', specOf({ name }), context())
      expect(layers()).toHaveLength(1)
      await Promise.all(['box', 'c1', 'c2'].map((name) => provider.start(name, context())))
      await run('echo two >/file; rm /doomed; rm -r /dir; mkdir /dir', { name: 'c1' })
      expect((await run('cat /file /doomed /dir/x', { name: 'c2' })).text).toBe('one\ngone\nx\n')
      await provider.remove('box', { volumes: true }, context())
      await provider.stop('c1', stop, context())
      await provider.clone?.clone('c1', specOf({ name: 'c4' }), context())
      await provider.start('c4', context())
      expect((await run('cat /file; ls /doomed /dir 2>/dev/null; true', { name: 'c4' })).text).toBe(
        'two\n/dir:\n',
      )
      expect(layers()).toHaveLength(2)
      for (const name of ['c1', 'c2', 'c3', 'c4']) await provider.remove(name, { volumes: true }, context())
      expect(layers()).toEqual([])
    })

    it('many clones of one origin at once, running and stopped', async () => {
      await up()
      await run('echo running >/file')
      const clone = async (name: string): Promise<void> =>
        void (await provider.clone?.clone('box', specOf({ name }), context()))
      await Promise.all(['r1', 'r2', 'r3', 'r4'].map((name) => clone(name)))
      await provider.stop('box', stop, context())
      await Promise.all(['s1', 's2', 's3', 's4'].map((name) => clone(name)))
      const names = ['r1', 'r4', 's1', 's4']
      await Promise.all(names.map((name) => provider.start(name, context())))
      for (const name of names) expect((await run('cat /file', { name })).text).toBe('running\n')
    })

    it('anonymous volumes go with snapshots and clones', async () => {
      const mounts = [{ type: 'volume', target: '/data', readonly: false }] as const
      await up({ mounts })
      await run('echo first >/data/file; echo first >/file')
      await provider.snapshots?.create('box', 'one', context())
      await run('echo second >/data/file; echo second >/file')
      await provider.clone?.clone('box', specOf({ name: 'copy', mounts }), context())
      await provider.snapshots?.restore('box', 'one', context())
      for (const name of ['box', 'copy']) await provider.start(name, context())
      expect((await run('cat /data/file /file')).text).toBe('first\nfirst\n')
      expect((await run('cat /data/file /file', { name: 'copy' })).text).toBe('second\nsecond\n')
    })

    it('where overlays do not work, the base is copied, and everything else is the same', async () => {
      // What a trial told is remembered: here it is told that nothing works.
      const small = path.join(subject.folder, 'small')
      await mkdir(path.join(small, 'bin'), { recursive: true })
      await runner.run([
        'sh',
        '-c',
        'cp -L --parents $(ldd /bin/sh /bin/sleep /bin/cat | grep -o "/lib[^ ]*" | sort -u) "$1"; cp -aL /bin/sh /bin/sleep /bin/cat "$1/bin/"',
        'sh',
        small,
      ])
      const folder = { kind: 'folder', name: 'small', path: small } as const
      const key = `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${await statDev(subject.folder)} ${await statDev(small)}`
      await mkdir(path.join(subject.folder, 'data/test'), { recursive: true })
      await writeFile(path.join(subject.folder, 'data/test/layering.json'), JSON.stringify({ [key]: 'copy' }))
      await up({ base: folder })
      await run('echo kept >/file')
      await provider.snapshots?.create('box', 'one', context())
      await run('echo lost >/file')
      await provider.clone?.clone('box', specOf({ name: 'copy' }), context())
      await provider.snapshots?.restore('box', 'one', context())
      for (const name of ['box', 'copy']) await provider.start(name, context())
      expect((await run('cat /file')).text).toBe('kept\n')
      expect((await run('cat /file', { name: 'copy' })).text).toBe('lost\n')
      expect(existsSync(path.join(small, 'file'))).toBe(false)
    })
  })
})

async function statDev(file: string): Promise<number> {
  return (await stat(file)).dev
}

function safeRead(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function askTcp(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text))
    let said = ''
    socket.setTimeout(60_000, () => socket.destroy(new Error(`no answer on port ${port}`)))
    socket.on('data', (data) => (said += String(data)))
    socket.on('end', () => resolve(said))
    socket.on('error', reject)
  })
}

function askUdp(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const timer = setTimeout(() => reject(new Error(`no answer on port ${port}`)), 60_000)
    const send = (): void => socket.send(text, port, '127.0.0.1')
    // Nobody promises that a datagram arrives.
    const again = setInterval(send, 1000)
    socket.once('message', (data) => {
      clearTimeout(timer)
      clearInterval(again)
      socket.close()
      resolve(String(data))
    })
    send()
  })
}
