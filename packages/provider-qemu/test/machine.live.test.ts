import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EnvironmentSpec } from '@holm/core'
import { collect, createSpec, waitFor, within, type Output } from '@holm/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askAgent } from '../src/agent.ts'
import { diskFile } from '../src/disks.ts'
import { loadRecord, resolveLayout, type QemuRecord } from '../src/record.ts'
import { findProcess } from '../src/state.ts'
import {
  context,
  createSubject,
  loadRootfs,
  providerOver,
  runner,
  whyNot,
  type TestSubject,
} from './subject.ts'

const reason = await whyNot()
const label = `machines${reason === undefined ? '' : `: ${reason}`}`
const remove = { volumes: true }

describe(label, { skip: reason !== undefined, timeout: 240_000 }, () => {
  let subject: TestSubject
  let source: string
  const folderOf = (name: string): string => path.join(subject.data, 'test/environments', name)
  const record = async (name = 'box'): Promise<QemuRecord> => {
    const found = await loadRecord(folderOf(name))
    if (found === undefined) throw new Error(`no record of ${name}`)
    return found
  }
  const run = async (script: string, name = 'box'): Promise<Output> =>
    collect(await subject.provider.exec(name, { argv: ['sh', '-c', script], cwd: '/' }, context()))
  const start = async (spec: Partial<EnvironmentSpec>): Promise<void> => {
    const { base } = loadRootfs()
    const whole = createSpec({ ...(base ? { base } : {}), ...spec })
    await subject.provider.create(whole, context())
    await subject.provider.start(whole.name, context())
  }

  beforeAll(async () => {
    if (reason !== undefined) return
    subject = await createSubject()
    source = await mkdtemp(path.join(tmpdir(), 'holm-qemu-source-'))
    await start({
      name: 'box',
      ports: [{ container: 8080, hostIp: '127.0.0.1', protocol: 'tcp' }],
      mounts: [{ type: 'bind', source, target: '/workspace', readonly: false }],
    })
  }, 300_000)

  afterAll(async () => {
    if (reason !== undefined) return
    for (const { name } of await subject.provider.list(context()))
      await subject.provider.remove(name, remove, context())
    await subject.dispose()
    await rm(source, { recursive: true, force: true })
  }, 60_000)

  it('a published port leads to a program inside', async () => {
    const server =
      'use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 1, ReuseAddr => 1) or die; print "up\\n"; my $c = $s->accept; print $c "from inside\\n"; close $c'
    const process = await subject.provider.exec(
      'box',
      { argv: ['perl', '-e', `$| = 1; ${server}`] },
      context(),
    )
    process.stderr.resume()
    await within(once(process.stdout, 'data'), { what: 'the server' })
    const [binding] = (await subject.provider.inspect('box', context())).ports
    const socket = connect(binding?.host ?? 0, '127.0.0.1')
    const [said] = (await within(once(socket, 'data'), { what: 'an answer' })) as [Buffer]
    expect(said.toString()).toBe('from inside\n')
    socket.destroy()
    await process.exited
  })

  it('the way in is for those who know the token, and unseen inside', async () => {
    const { machine } = await record()
    await expect(askAgent({ port: machine?.control ?? 0, token: 'guessed' }, 'ping')).rejects.toMatchObject({
      message: 'the machine refuses: refused',
    })
    expect((await run('ls /sys/class/net')).text).toBe('eth0\nlo\n')
    expect((await run('tr "\\0" " " </proc/cmdline; ls /holm 2>&1')).text).not.toContain(
      (await record()).token,
    )
  })

  it('a second holm sees it and works in it at the same time', async () => {
    const other = providerOver(subject.data)
    expect((await other.inspect('box', context())).status).toBe('running')
    const all = Array.from({ length: 4 }, async (_, index) => {
      const provider = index % 2 === 0 ? other : subject.provider
      return collect(await provider.exec('box', { argv: ['echo', String(index)] }, context()))
    })
    expect((await Promise.all(all)).map(({ text }) => text)).toEqual(['0\n', '1\n', '2\n', '3\n'])
  })

  it('what a program leaves in the background does not hold the call up, and goes on', async () => {
    const { code, text } = await within(run('sleep 311 & echo started'), { what: 'the end of the call' })
    expect({ code, text }).toEqual({ code: 0, text: 'started\n' })
    expect(
      (await run('pkill -x sleep || kill $(cat /proc/[0-9]*/stat | grep "(sleep)" | cut -d" " -f1)')).code,
    ).toBe(0)
  })

  it('a checkpoint lets go of a mounted folder and takes it again', async () => {
    await writeFile(path.join(source, 'outside'), 'before')
    await subject.provider.checkpoints?.create('box', 'one', context())
    expect((await run('cat /workspace/outside')).text).toBe('before')
    await writeFile(path.join(source, 'outside'), 'after')
    const state = await subject.provider.snapshots?.restore('box', 'one', context())
    expect(state?.status).toBe('running')
    expect((await run('cat /workspace/outside')).text).toBe('after')
    const since = Date.now() / 1000
    const clock = Number((await run('date +%s')).text)
    expect(clock).toBeGreaterThan(since - 5)
    expect(clock).toBeLessThan(Date.now() / 1000 + 5)
  })

  it('a checkpoint is refused while a program uses a mounted folder, which stays', async () => {
    const process = await subject.provider.exec(
      'box',
      { argv: ['sleep', '312'], cwd: '/workspace' },
      context(),
    )
    process.stdout.resume()
    process.stderr.resume()
    await expect(subject.provider.checkpoints?.create('box', 'two', context())).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_BUSY',
      message: expect.stringContaining('/workspace') as string,
    })
    expect((await run('cat /workspace/outside')).text).toBe('after')
    await process.kill('SIGKILL')
    await process.exited
  })

  it('a killed machine is told of, and starts again with its files', async () => {
    await run('printf kept > /root/kept; sync')
    const pid = findProcess(await record(), folderOf('box')) ?? 0
    process.kill(pid, 'SIGKILL')
    await waitFor(async () => (await subject.provider.inspect('box', context())).status === 'stopped', {
      what: 'the state stopped',
    })
    expect((await subject.provider.inspect('box', context())).reason).toBe(
      'its machine was ended from outside',
    )
    await expect(run('true')).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
    await subject.provider.start('box', context())
    expect((await run('cat /root/kept')).text).toBe('kept')
  })

  it('clones of one origin have cards of their own, and its files', async () => {
    await subject.provider.clone?.clone('box', createSpec({ name: 'twin', hostname: 'twin' }), context())
    await subject.provider.start('twin', context())
    expect((await run('hostname; cat /root/kept', 'twin')).text).toBe('twin\nkept')
    const card = 'cat /sys/class/net/eth0/address'
    expect((await run(card, 'twin')).text).not.toBe((await run(card)).text)
    await subject.provider.remove('twin', remove, context())
  })

  it('a machine that cannot start says why, and nothing of it runs', async () => {
    const { base } = loadRootfs()
    await subject.provider.create(createSpec({ name: 'broken', ...(base ? { base } : {}) }), context())
    const disk = diskFile(resolveLayout(subject.data, 'test'), (await record('broken')).disk)
    await rm(disk)
    await runner.run(['qemu-img', 'create', '-q', '-f', 'qcow2', disk, '1G'])
    await expect(subject.provider.start('broken', context())).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
      message: expect.stringContaining('no root: /dev/vda cannot be mounted') as string,
    })
    expect(findProcess(await record('broken'), folderOf('broken'))).toBeUndefined()
    await subject.provider.remove('broken', remove, context())
  })

  it('a holm that is killed on the way leaves nothing that remove does not find', async () => {
    for (const [index, delay] of [
      ['begun', 30],
      ['created', 50],
      ['created', 300],
    ].entries()) {
      const name = `killed-${index}`
      const [step = '', ms = 0] = delay
      const pid = await startAndKill(name, { step: String(step), ms: Number(ms) })
      expect(pid).toBeGreaterThan(0)
      const left = await loadRecord(folderOf(name))
      // A machine that it had not yet written down is there, and counts as none: it is ended by the next start or remove.
      const { status } = await subject.provider.inspect(name, context())
      expect(left?.machine !== undefined || status !== 'running').toBe(true)
      const process = left && (() => findProcess(left, folderOf(name)))
      await subject.provider.remove(name, remove, context())
      expect((await subject.provider.inspect(name, context())).status).toBe('absent')
      expect(process?.()).toBeUndefined()
    }
    expect(
      (
        await runner.run([
          'sh',
          '-c',
          'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -c "^holm-killed" || true',
        ])
      ).stdout,
    ).toBe('0\n')
  })

  it('a machine whose record is damaged is told of as failed, and ended with its folder', async () => {
    const pid = findProcess(await record(), folderOf('box')) ?? 0
    await writeFile(path.join(folderOf('box'), 'record.json'), '{')
    expect((await subject.provider.inspect('box', context())).status).toBe('failed')
    expect((await subject.provider.list(context())).map(({ name }) => name)).toEqual(['box'])
    await subject.provider.remove('box', remove, context())
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    expect((await subject.provider.inspect('box', context())).status).toBe('absent')
  })

  it('nothing is left of removed environments', async () => {
    const disks = path.join(subject.data, 'test/disks')
    // The machine with the damaged record had some, which are kept for a minute: nobody can tell whose they are.
    const before = await readdir(disks)
    await start({ name: 'last' })
    await subject.provider.snapshots?.create('last', 'one', context())
    await subject.provider.remove('last', remove, context())
    const root = path.join(subject.data, 'test')
    for (const name of ['environments', 'trash'])
      expect(await readdir(path.join(root, name)), name).toEqual([])
    expect(before).toEqual(expect.arrayContaining(await readdir(disks)))
    expect((await readFile('/proc/self/mounts', 'utf8')).includes(subject.data)).toBe(false)
  })

  const startAndKill = async (
    name: string,
    { step, ms }: { readonly step: string; readonly ms: number },
  ): Promise<number> => {
    const script = fileURLToPath(new URL('start-and-wait.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=holm-source', script, subject.data, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const seen: string[] = []
    child.stdout.on('data', (data: Buffer) => seen.push(data.toString()))
    await waitFor(() => seen.join('').includes(step), { what: step, deadlineMs: 60_000 })
    await new Promise((resolve) => setTimeout(resolve, ms))
    child.kill('SIGKILL')
    await once(child, 'exit')
    return child.pid ?? 0
  }
})
