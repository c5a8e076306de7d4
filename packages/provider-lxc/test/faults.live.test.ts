import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Provider, ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext, waitFor } from '@holm/testkit'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mountsBelow } from '../src/trees.ts'
import {
  createSubject,
  hashOf,
  listNetworks,
  loadRootfs,
  runner,
  whyNot,
  type TestSubject,
} from './subject.ts'

const context = (): ProviderContext => createTestContext({ runner })
const { base } = loadRootfs()
const reason = await whyNot()
const cache = mkdtempSync(path.join(tmpdir(), 'holm-lxc-cache-'))
afterAll(() => rmSync(cache, { recursive: true, force: true }))

/** Everything of a data folder that this machine knows of. */
async function listTraces(folder: string): Promise<string[]> {
  const hash = hashOf(folder)
  const rules = (await runner.run(['iptables-save'])).stdout.split('\n').filter((line) => line.includes(hash))
  const mounts = mountsBelow(folder, readFileSync('/proc/self/mountinfo', 'utf8'))
  const commands = readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map(commandOf)
    .filter((command) => command.includes(folder))
  const groups = readdirSync('/sys/fs/cgroup')
    .map((name) => `/sys/fs/cgroup/${name}`)
    .filter((at) => existsSync(`${at}/cgroup.procs`))
    .flatMap((at) => readdirSync(at).map((name) => `${at}/${name}`))
    .filter((name) => name.includes(hash))
  return [...rules, ...mounts, ...listNetworks(hash), ...commands, ...groups]
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

describe(
  `lxc faults${reason === undefined ? '' : `: ${reason}`}`,
  { skip: reason !== undefined, timeout: 120_000 },
  () => {
    let subject: TestSubject
    let provider: Provider
    let before: string[]
    beforeEach(async () => {
      subject = await createSubject(cache)
      provider = subject.provider
      before = await listTraces(subject.folder)
    })
    afterEach(async () => {
      for (const { name } of await provider.list(context()))
        await provider.remove(name, { volumes: true }, context())
      expect(await listTraces(subject.folder)).toEqual(before)
      await subject.dispose()
    })

    const spec = createSpec({ name: 'box', ...(base ? { base } : {}) })
    const up = async (): Promise<void> => {
      await provider.create(spec, context())
      await provider.start('box', context())
    }
    const say = async (script: string): Promise<string> =>
      (await collect(await provider.exec('box', { argv: ['sh', '-c', script] }, context()))).text
    const processesOf = async (): Promise<{ init: number; monitor: number }> => {
      const folder = path.join(subject.folder, 'data/test/environments/box')
      const monitor = Number(await readFile(path.join(folder, 'monitor.pid'), 'utf8'))
      return { monitor, init: Number((await provider.inspect('box', context())).id) }
    }

    const steps = ['create', 'start', 'exec', 'snapshot', 'stop', 'clone', 'restore', 'remove']
    const moments = steps.flatMap((step) => [0, 20].map((delay) => [step, delay] as const))

    /** Kills a holm a moment after it began a step. */
    async function killAt(step: string, delay: number): Promise<void> {
      const script = fileURLToPath(new URL('as-holm.ts', import.meta.url))
      const data = path.join(subject.folder, 'data')
      const child = spawn(process.execPath, ['--conditions=holm-source', script, data, cache], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let said = ''
      child.stdout.on('data', (text) => (said += String(text)))
      await waitFor(() => said.split('\n').includes(step) || child.exitCode !== null, {
        what: step,
        intervalMs: 2,
      })
      await sleep(delay)
      child.kill('SIGKILL')
      await waitFor(() => child.exitCode !== null || child.signalCode !== null, {
        what: 'the end of the child',
      })
    }

    it('a holm that is killed at any step leaves nothing that remove does not find', async () => {
      for (const [step, delay] of moments) {
        await killAt(step, delay)
        const states = await provider.list(context())
        for (const { name, status } of states) {
          const where = `${step} + ${delay} ms: ${name} is ${status}`
          expect(['stopped', 'running', 'failed', 'creating'], where).toContain(status)
          if (status === 'failed') continue
          await provider.start(name, context()).catch((error: unknown) => {
            throw new Error(where, { cause: error })
          })
          const seen = await collect(
            await provider.exec(name, { argv: ['sh', '-c', 'cat /file 2>/dev/null; echo in'] }, context()),
          )
          expect(seen.text, where).toMatch(/^(?:x\n)?in\n$/)
        }
        for (const { name } of [...states, { name: 'box' }])
          await provider.remove(name, { volumes: true }, context())
        expect(await provider.list(context()), step).toEqual([])
        const layers = path.join(subject.folder, 'data/test/layers')
        expect(existsSync(layers) ? readdirSync(layers) : [], `${step} + ${delay} ms`).toEqual([])
        expect(await listTraces(subject.folder), `${step} + ${delay} ms`).toEqual(before)
      }
    })

    it.each(['init', 'monitor'] as const)(
      'is stopped when its %s is killed, and can be started again',
      async (who) => {
        await up()
        const program = await provider.exec('box', { argv: ['sh', '-c', 'echo up; sleep 60'] }, context())
        await new Promise((resolve) => program.stdout.once('data', resolve))
        process.kill((await processesOf())[who], 'SIGKILL')
        await waitFor(async () => (await provider.inspect('box', context())).status === 'stopped', {
          what: 'the state stopped',
        })
        expect((await collect(program)).code).toBe(137)
        await expect(provider.exec('box', { argv: ['true'] }, context())).rejects.toMatchObject({
          code: 'HOLM_ENVIRONMENT_NOT_RUNNING',
        })
        await provider.start('box', context())
        expect(await say('echo back')).toBe('back\n')
      },
    )

    it('two holms start, stop and remove one environment at once', async () => {
      const other = subject.again()
      const both = <T>(call: (each: Provider) => Promise<T>): Promise<T[]> =>
        Promise.all([call(provider), call(other)])
      for (let round = 0; round < 3; round += 1) {
        const made = await Promise.allSettled([provider, other].map((each) => each.create(spec, context())))
        expect(
          made.map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : 'made')),
        ).toContain('made')
        await both((each) => each.start('box', context()))
        expect(await say('echo up')).toBe('up\n')
        await both((each) => each.stop('box', { graceMs: 500 }, context()))
        await both((each) => each.remove('box', { volumes: true }, context()))
        expect((await provider.inspect('box', context())).status).toBe('absent')
      }
    })

    it('rules that somebody took away, or that are there twice, are put right', async () => {
      const hash = hashOf(subject.folder)
      const ports = [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }] as const
      await provider.create({ ...spec, ports }, context())
      await provider.start('box', context())
      const rules = async (): Promise<string[]> =>
        (await runner.run(['iptables-save'])).stdout.split('\n').filter((line) => line.includes(hash))
      const whole = (await rules()).length
      for (const words of [
        ['-D', 'FORWARD', '-j', `HOLM-LXC-FWD-${hash}`],
        ['-F', `HOLM-LXC-FWD-${hash}`],
        ['-X', `HOLM-LXC-FWD-${hash}`],
        ['-t', 'nat', '-I', 'OUTPUT', '-j', `HOLM-LXC-TO-${hash}`],
      ])
        expect((await runner.run(['iptables', '--wait', ...words])).code, words.join(' ')).toBe(0)
      await provider.create({ ...spec, name: 'other', ports }, context())
      await provider.start('other', context())
      expect((await rules()).length).toBe(whole + 1)
    })

    it('an abort in the middle of a start leaves it stopped, and can be tried again', async () => {
      await provider.create(spec, context())
      for (const delay of [0, 5, 15, 40]) {
        const controller = new AbortController()
        setTimeout(() => controller.abort(), delay)
        const start = provider.start('box', createTestContext({ runner, signal: controller.signal }))
        const code = await start.then(
          () => 'started',
          (error: { code: string }) => error.code,
        )
        expect(['started', 'HOLM_INTERRUPTED']).toContain(code)
        const { status } = await provider.inspect('box', context())
        expect(status).toBe(code === 'started' ? 'running' : 'stopped')
        await provider.stop('box', { graceMs: 100 }, context())
        expect(listNetworks(hashOf(subject.folder))).toEqual([])
      }
      await provider.start('box', context())
      expect(await say('echo up')).toBe('up\n')
    })

    it('remove never goes into what somebody mounted into an environment', async () => {
      await up()
      await provider.stop('box', { graceMs: 500 }, context())
      const precious = path.join(subject.folder, 'precious')
      const target = path.join(subject.folder, 'data/test/environments/box/upper/mnt')
      for (const folder of [precious, target]) await mkdir(folder, { recursive: true })
      await writeFile(path.join(precious, 'file'), 'precious')
      expect((await runner.run(['mount', '--bind', precious, target])).code).toBe(0)
      await provider.remove('box', { volumes: true }, context())
      expect(await readFile(path.join(precious, 'file'), 'utf8')).toBe('precious')
    })

    it('remove works while a program outside holds the root open', async () => {
      await up()
      const { init } = await processesOf()
      const holder = await runner.spawn(['nsenter', '--mount', '--target', String(init), 'sleep', '61'])
      await waitFor(() => commandOf(String(holder.pid)).startsWith('sleep'), { what: 'the program' })
      await provider.remove('box', { volumes: true }, context())
      expect((await provider.inspect('box', context())).status).toBe('absent')
      await holder.kill('SIGKILL')
    })

    it('a full disk is told as one, and leaves nothing', async () => {
      const data = path.join(subject.folder, 'data')
      await mkdir(data, { recursive: true })
      expect((await runner.run(['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', data])).code).toBe(0)
      try {
        await up()
        const filled = await collect(
          await provider.exec('box', { argv: ['sh', '-c', 'head -c 2000000 /dev/urandom >/big'] }, context()),
        )
        expect(filled.code).toBe(0)
        const snapshot = provider.snapshots?.create('box', 'one', context())
        await expect(snapshot).rejects.toMatchObject({ code: 'HOLM_DISK_FULL' })
        expect(await provider.snapshots?.list('box', context())).toEqual([])
        const clone = provider.clone?.clone('box', { ...spec, name: 'copy' }, context())
        await expect(clone).rejects.toMatchObject({ code: 'HOLM_DISK_FULL' })
        expect((await provider.inspect('copy', context())).status).toBe('absent')
        await provider.remove('box', { volumes: true }, context())
      } finally {
        await runner.run(['umount', '--lazy', data])
      }
    })

    it('a base that does not fit on the disk is told as a full disk, and leaves nothing', async () => {
      const small = path.join(subject.folder, 'cache')
      await mkdir(small, { recursive: true })
      expect((await runner.run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', small])).code).toBe(0)
      const own = await createSubject(small)
      try {
        await expect(own.provider.create(spec, context())).rejects.toMatchObject({ code: 'HOLM_DISK_FULL' })
        expect(await own.provider.list(context())).toEqual([])
        expect(readdirSync(path.join(small, 'rootfs'))).toEqual([])
      } finally {
        await runner.run(['umount', '--lazy', small])
        await own.dispose()
      }
    })
  },
)
