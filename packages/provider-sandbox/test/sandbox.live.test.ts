import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import type { EnvironmentSpec, ExecRequest, Provider, ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext, waitFor } from '@holm/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSession, groupName, type Session } from '../src/session.ts'
import { caller, createSubject, loadRootfs, runner, whyNot, type TestSubject } from './subject.ts'

const context = (signal?: AbortSignal): ProviderContext =>
  createTestContext({ runner, ...(signal ? { signal } : {}) })
const rootfs = loadRootfs()

for (const backend of ['bwrap', 'unshare'] as const) {
  const reason = await whyNot(backend)
  describe(
    `sandbox specifics (${backend}, ${caller.name})${reason === undefined ? '' : `: ${reason}`}`,
    { skip: reason !== undefined },
    () => {
      let subject: TestSubject
      let provider: Provider
      beforeEach(async () => {
        subject = await createSubject(backend)
        provider = subject.provider
      })
      afterEach(async () => {
        for (const { name } of await provider.list(context()))
          await provider.remove(name, { volumes: true }, context())
        await subject.dispose()
      })

      const start = async (overrides: Partial<EnvironmentSpec> = {}): Promise<string> => {
        const spec = createSpec({ name: 'box', ...overrides })
        await provider.create(spec, context())
        await provider.start(spec.name, context())
        return spec.name
      }
      const run = async (
        script: string,
        request: Partial<ExecRequest> = {},
        by = provider,
      ): Promise<{ code: number; text: string; errorText: string }> =>
        collect(await by.exec('box', { argv: ['sh', '-c', script], ...request }, context()))
      const holder = async (): Promise<number> => Number((await provider.inspect('box', context())).id)
      const recordFile = (): string => path.join(subject.folder, 'data/test/environments/box/record.json')

      it('keeps the files of this machine as they are', async () => {
        await start()
        for (const file of ['/etc/holm-test', '/usr/holm-test', '/holm-test', '/etc/passwd']) {
          // Opened for appending and nothing written: a hole would be seen and not used.
          expect(await run(`(: >>${file}) 2>&1`), file).toMatchObject({
            code: expect.not.toBeOneOf([0]) as number,
          })
        }
      })

      it('keeps the settings of the kernel', async () => {
        await start()
        const { text } = await run(
          'for f in /proc/sys/kernel/core_pattern /proc/sys/vm/overcommit_memory /proc/sysrq-trigger; do (: >>$f) 2>/dev/null && echo "$f"; done; true',
        )
        expect(text).toBe('')
      })

      it('cannot undo what hides: unmounting and remounting are refused', async () => {
        await start()
        const { text } = await run(
          'umount /proc/sys 2>/dev/null && echo umount; mount -o remount,bind,rw /etc 2>/dev/null && echo remount; mount -t tmpfs x /opt 2>/dev/null && echo mount; true',
        )
        expect(text).toBe('')
      })

      it('shows no secrets of this machine', async () => {
        await start()
        const { text } = await run(
          'cat /etc/shadow 2>/dev/null; ls -A /etc/ssh /root /home 2>/dev/null; cat "/proc/1/root/etc/shadow" 2>/dev/null',
        )
        expect(text).not.toMatch(/\$[0-9a-z]+\$|ssh_host|\.bash_history/)
      })

      it('reaches no engine and shows nothing of /run, nor the data of holm', async () => {
        await start()
        const { text } = await run(
          `ls /var/lib/docker /run/docker.sock /var/run/docker.sock /run/containerd 2>/dev/null; ls ${JSON.stringify(subject.folder)} 2>/dev/null; ls -A /run`,
        )
        expect(text).toBe('holm.log\n')
      })

      it('sees no process of this machine, and signals none', async () => {
        await start()
        const victim = spawn('sleep', ['300'], { stdio: 'ignore' })
        try {
          const { text } = await run(
            `kill -0 ${victim.pid} 2>/dev/null && echo reached; ls -d /proc/[0-9]* | wc -l`,
          )
          expect(text).not.toContain('reached')
          expect(Number(text.trim())).toBeLessThan(8)
        } finally {
          await end(victim)
        }
      })

      it('gets no variables of holm', async () => {
        await start({ env: { GIVEN: 'yes' } })
        const { text } = await run('env', { env: { LD_PRELOAD: '' } })
        const names = text.split('\n').map((line) => line.split('=')[0])
        expect(new Set(names)).toEqual(
          new Set([
            'PATH',
            'HOME',
            'USER',
            'LOGNAME',
            'SHELL',
            'LANG',
            'HOSTNAME',
            'GIVEN',
            'LD_PRELOAD',
            'PWD',
            '',
            ...names.filter((name) => name === '_' || name === 'SHLVL' || name === 'OLDPWD'),
          ]),
        )
      })

      it('a program cannot gain privileges', async () => {
        await start()
        expect((await run('grep NoNewPrivs /proc/self/status')).text).toMatch(/1\s*$/)
      })

      it('finds a background process again through a second provider', async () => {
        await start()
        await run('sleep 301 >/dev/null 2>&1 </dev/null & echo $! >/tmp/pid')
        const { text } = await run('cat /proc/$(cat /tmp/pid)/cmdline | tr "\\0" " "', {}, subject.again())
        expect(text).toBe('sleep 301 ')
      })

      it('says why it stopped when its holder is killed', async () => {
        await start()
        process.kill(await holder(), 'SIGKILL')
        const state = await waitFor(
          async () => {
            const found = await provider.inspect('box', context())
            return found.status === 'stopped' && found
          },
          { what: 'the state stopped' },
        )
        expect(state.reason).toMatch(/ended from outside/)
        await provider.start('box', context())
        expect((await run('echo back')).text).toBe('back\n')
      })

      it('is stopped after a reboot, whatever has its process number', async () => {
        await start()
        const before = await readFile(recordFile(), 'utf8')
        const number = await holder()
        const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
        await writeFile(recordFile(), before.replaceAll(bootId, '00000000-0000-0000-0000-000000000000'))
        const state = await provider.inspect('box', context())
        expect(state).toMatchObject({ status: 'stopped', reason: 'this machine was restarted' })
        await provider.stop('box', { graceMs: 0 }, context())
        expect(existsSync(`/proc/${number}`), 'a process of another boot is not touched').toBe(true)
        await writeFile(recordFile(), before)
      })

      it('a creation that was killed is listed as failed, and made anew', async () => {
        await provider.create(createSpec({ name: 'box' }), context())
        const record = JSON.parse(await readFile(recordFile(), 'utf8')) as {
          status: string
          creator: { start: string }
        }
        await writeFile(
          recordFile(),
          JSON.stringify({ ...record, status: 'creating', creator: { ...record.creator, start: '1' } }),
        )
        expect((await provider.list(context()))[0]).toMatchObject({
          status: 'failed',
          reason: expect.stringContaining('interrupted') as string,
        })
        expect((await provider.create(createSpec({ name: 'box' }), context())).status).toBe('stopped')
      })

      it('is busy while another process works on it, and takes over from a dead one', async () => {
        await provider.create(createSpec({ name: 'box' }), context())
        const lock = path.join(path.dirname(recordFile()), 'lock')
        const { creator } = JSON.parse(await readFile(recordFile(), 'utf8')) as { creator: object }
        await writeFile(lock, JSON.stringify(creator))
        await expect(provider.start('box', context())).rejects.toMatchObject({
          code: 'HOLM_ENVIRONMENT_BUSY',
        })
        await writeFile(lock, JSON.stringify({ ...creator, start: '1' }))
        expect((await provider.start('box', context())).status).toBe('running')
      })

      it('mounts a project with quotes and spaces in its path', async () => {
        const source = path.join(subject.folder, `a 'b' "c" $HOME`)
        await mkdir(source)
        await start({ mounts: [{ type: 'bind', source, target: `/work space/it's`, readonly: false }] })
        await run('printf made > here', { cwd: `/work space/it's` })
        expect(await readFile(path.join(source, 'here'), 'utf8')).toBe('made')
      })

      it('leaves nothing behind', async () => {
        const before = leftovers(subject.folder)
        await start({ resources: { memoryBytes: 256 * 1024 * 1024, pids: 100 } })
        await run('sleep 302 >/dev/null 2>&1 </dev/null & mkdir -p ~/closed/in && chmod 000 ~/closed; true')
        const inside = await holder()
        await provider.remove('box', { volumes: true }, context())
        expect(
          existsSync(`/proc/${inside}`) && readFileSync(`/proc/${inside}/stat`, 'utf8').includes(') S'),
          'processes',
        ).toBe(false)
        expect(leftovers(subject.folder)).toEqual(before)
        expect(readdirSync(path.join(subject.folder, 'data/test/environments')), 'folders').toEqual([])
        expect(readdirSync(path.join(subject.folder, 'data/test/trash')), 'trash').toEqual([])
      })

      it('without a network reaches no service of this machine', async () => {
        const server = createServer((socket) => socket.end('reached'))
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        const { port } = server.address() as { port: number }
        try {
          await start({ network: 'none' })
          const request = `python3 -c 'import socket; s = socket.create_connection(("127.0.0.1", ${port}), 2); print(s.recv(9))' 2>&1`
          const { text } = await run(request)
          expect(text).toMatch(/refused|unreachable/i)
        } finally {
          server.close()
        }
      })

      it('refuses a moved port, an image and privileges before anything is made', async () => {
        const port = { container: 80, host: 8080, hostIp: '127.0.0.1', protocol: 'tcp' } as const
        const security = { ...createSpec().security, privileged: true }
        for (const overrides of [
          { ports: [port] },
          { base: { kind: 'image', reference: 'x' } },
          { security },
        ] as const) {
          await expect(
            provider.create(createSpec({ name: 'box', ...overrides }), context()),
          ).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' })
        }
        expect(await provider.list(context())).toEqual([])
      })

      describe.skipIf(rootfs.base === undefined)(
        `rootfs${'reason' in rootfs ? `: ${rootfs.reason}` : ''}`,
        () => {
          const base = rootfs.base ?? { kind: 'host' as const }

          it('installs packages, and the base stays as it was', async ({ skip }) => {
            await start({ base })
            if ((await run('cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null')).text === '')
              skip('the root filesystem names no mirror')
            const single = caller.uid === 0 ? '' : '-o APT::Sandbox::User=root '
            const update = await run(`apt-get ${single}update 2>&1`, {
              env: { DEBIAN_FRONTEND: 'noninteractive' },
            })
            if (/Failed to fetch|Could not resolve|Unable to connect/.test(update.text))
              skip('no mirror answers')
            const install = await run(
              `apt-get ${single}install -y --no-install-recommends hello 2>&1 && hello`,
              { env: { DEBIAN_FRONTEND: 'noninteractive' } },
            )
            expect(install.text).toContain('Hello, world!')
            await provider.create(createSpec({ name: 'other', base }), context())
            await provider.start('other', context())
            const other = await collect(await provider.exec('other', { argv: ['hello'] }, context()))
            expect(other.code).toBe(127)
          })
        },
      )
    },
  )
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

/** Mounts below the folder, processes that name it, control groups of this test. */
function leftovers(folder: string): { mounts: string[]; processes: string[]; groups: string[] } {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path.basename(path.dirname(folder))))
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)
    } catch {
      return false
    }
  })
  const own = groupName(sessionOf(folder), 'box')
  const groups = ['memory', 'pids', 'cpu', 'freezer'].flatMap((name) => {
    const parent = `/sys/fs/cgroup/${name}/holm`
    return existsSync(parent) ? readdirSync(parent).filter((entry) => entry === own) : []
  })
  return { mounts, processes, groups }
}

/** The names that a provider over this folder gives to things. */
function sessionOf(folder: string): Session {
  const paths = { data: path.join(folder, 'data'), cache: path.join(folder, 'cache') }
  return createSession({ paths, namespace: 'test', env: {}, caller })
}
