import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { collect, createSpec, createTestContext, tap, waitFor, within } from '@holm/testkit'
import type { TestContext } from '@holm/testkit'
import type { LogChunk, Provider } from '@holm/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEngine, createProvider } from '../src/index.ts'
import type { Engine } from '../src/index.ts'
import { snapshotter } from '../src/names.ts'
import { liveSkip, loadLiveBase, runner } from './live.ts'
import { openOwnContainerd } from './own-containerd.ts'
import type { OwnContainerd } from './own-containerd.ts'

const reason = liveSkip()
if (reason) process.stderr.write(`containerd faults.live: skipped: ${reason}\n`)

const namespace = `holm-test-faults-${process.pid}`

describe.skipIf(reason)('containerd, when something is killed', () => {
  let containerd: OwnContainerd
  let engine: Engine
  let provider: Provider
  let base: Awaited<ReturnType<typeof loadLiveBase>>

  beforeAll(async () => {
    containerd = await openOwnContainerd()
    base = await loadLiveBase()
    engine = createEngine({ ...settings(), env: { PATH: process.env['PATH'] }, caller: { uid: 0, gid: 0 } })
    provider = createProvider(engine)
    await provider.images?.prepare(base, context())
  })

  afterAll(async () => {
    for (const { name } of await provider.list(context()))
      await provider.remove(name, { volumes: true }, context())
    await provider.images?.remove(base, context())
    engine.dispose()
    await containerd.dispose()
  })

  function settings(): { namespace: string; data: string; address: string } {
    return { namespace, data: `${containerd.folder}/data of "holm"`, address: containerd.address }
  }

  function context(): TestContext {
    return createTestContext({ runner })
  }

  it('outlives a containerd that is killed: programs, their output, logs, ports', async () => {
    const ports = [{ container: 8000, hostIp: '127.0.0.1', protocol: 'tcp' }] as const
    await provider.create(createSpec({ name: 'lasting', hostname: 'lasting', base, ports }), context())
    const before = await provider.start('lasting', context())
    const script = 'echo begin; read line; echo "got $line"; head -c 200000 /dev/zero | tr "\\0" x; exit 3'
    const program = await provider.exec('lasting', { argv: ['sh', '-c', script], stdin: 'pipe' }, context())
    const out = tap(program.stdout)
    program.stderr.resume()
    const seen: string[] = []
    const following = follow(provider.logs?.read('lasting', { follow: true }, context()), seen)
    await waitFor(() => out.text() === 'begin\n', { what: 'the program to begin' })

    await containerd.kill()
    await expect(provider.inspect('lasting', context())).rejects.toMatchObject({
      code: 'HOLM_PROVIDER_UNAVAILABLE',
    })
    expect((await provider.probe(context())).usable).toBe(false)
    program.stdin?.write('word\n')
    await waitFor(() => out.text().startsWith('begin\ngot word\n'), { what: 'output without containerd' })
    await containerd.start()

    expect((await within(program.exited, { what: 'the end of the program' })).code).toBe(3)
    expect(out.bytes()).toBe('begin\ngot word\n'.length + 200_000)
    expect(await provider.inspect('lasting', context())).toEqual(before)
    const log = {
      argv: ['sh', '-c', 'echo after > /proc/1/fd/1; python3 -m http.server 8000 -d /etc >/dev/null 2>&1 &'],
    }
    await collect(await provider.exec('lasting', log, context()))
    await waitFor(() => seen.join('').includes('after'), { what: 'a line of the log that is followed' })
    const [port] = before.ports
    const answer = await waitFor(
      () => fetch(`http://127.0.0.1:${port?.host}/hostname`).catch(() => undefined),
      {
        what: 'the published port to answer',
      },
    )
    expect((await answer.text()).trim()).toBe('lasting')
    expect((await provider.stop('lasting', { graceMs: 2000 }, context())).status).toBe('stopped')
    await within(following, { what: 'the end of the log' })
    await provider.remove('lasting', { volumes: true }, context())
    await assertNothing('lasting')
  })

  it('starts again after all processes are gone, as after a reboot', async () => {
    await provider.create(createSpec({ name: 'rebooted', base }), context())
    await provider.start('rebooted', context())
    await collect(await provider.exec('rebooted', { argv: ['sh', '-c', 'echo kept > /file'] }, context()))
    await containerd.kill()
    for (const pid of await processesOf(containerd.folder)) kill(pid)
    await containerd.start()
    await waitFor(async () => (await provider.inspect('rebooted', context())).status !== 'running', {
      what: 'containerd to see that it ended',
    })
    expect((await provider.start('rebooted', context())).status).toBe('running')
    const { text } = await collect(await provider.exec('rebooted', { argv: ['cat', '/file'] }, context()))
    expect(text).toBe('kept\n')
    await provider.remove('rebooted', { volumes: true }, context())
    await assertNothing('rebooted')
  })

  it.each([40, 150, 350, 700, 1200])(
    'leaves nothing of a holm that was killed after %i ms that remove does not find',
    async (delay) => {
      const name = `victim${delay}`
      const said = await killHolm(name, delay)
      const states = await provider.list(context())
      for (const state of states) {
        expect(['creating', 'failed', 'stopped', 'running']).toContain(state.status)
        // What is listed can be used, whatever was half done.
        expect((await provider.start(state.name, context())).status).toBe('running')
        await provider.remove(state.name, { volumes: true }, context())
      }
      expect(await provider.list(context()), said).toEqual([])
      await assertNothing(name)
    },
  )

  it('two holms that start, stop and remove one environment at once agree', async () => {
    const other = createEngine({
      ...settings(),
      env: { PATH: process.env['PATH'] },
      caller: { uid: 0, gid: 0 },
    })
    const second = createProvider(other)
    await provider.create(createSpec({ name: 'shared', base }), context())
    const started = await Promise.all([provider, second].map((each) => each.start('shared', context())))
    expect(started.map(({ status }) => status)).toEqual(['running', 'running'])
    expect(started[0]?.startedAt).toBe(started[1]?.startedAt)
    await Promise.all([provider, second].map((each) => each.stop('shared', { graceMs: 2000 }, context())))
    await Promise.all([provider, second].map((each) => each.remove('shared', { volumes: true }, context())))
    other.dispose()
    await assertNothing('shared')
  })

  /** Kills a process that works on `name`; what it said. */
  async function killHolm(name: string, delay: number): Promise<string> {
    const victim = fileURLToPath(new URL('victim.ts', import.meta.url))
    const words = ['--conditions=holm-source', victim, JSON.stringify({ ...settings(), base, name })]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    const out = tap(child.stdout)
    await waitFor(() => out.text().startsWith('begin'), { what: 'the other holm to begin' })
    await sleep(delay)
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    return out.text()
  }

  /** Of the environment nothing, of the namespace only the image. */
  async function assertNothing(name: string): Promise<void> {
    const client = await engine.client()
    const keys: string[] = []
    for await (const { info } of client.stream('Snapshots.List', { snapshotter, filters: [] }))
      keys.push(...info.map((each) => each.name))
    expect(keys.filter((key) => !key.startsWith('sha256:'))).toEqual([])
    expect((await client.call('Tasks.List', {})).tasks).toEqual([])
    const mounts = await readFile('/proc/self/mountinfo', 'utf8')
    expect(mounts.split('\n').filter((line) => line.includes(containerd.folder))).toEqual([])
    const left = (await readdir(engine.folder, { recursive: true })).filter(
      (file) => file.includes(name) || file.startsWith('network'),
    )
    expect(left).toEqual([])
    await waitFor(async () => !(await rules()).includes(`${namespace}-`), { what: 'no rule of the firewall' })
    expect(await rules()).not.toContain(`holm ${await bridgeName()}`)
    expect(await readdir('/sys/class/net')).not.toContain(await bridgeName())
  }

  async function rules(): Promise<string> {
    const { stdout } = await runner.run(['iptables-save'])
    return stdout
  }

  async function bridgeName(): Promise<string> {
    const { hash } = await import('../src/names.ts')
    return `holmc${hash(engine.folder, 8)}`
  }
})

async function follow(log: AsyncIterable<LogChunk> | undefined, seen: string[]): Promise<void> {
  for await (const { data } of log ?? []) seen.push(Buffer.from(data).toString('utf8'))
}

/** What ended with another that was killed before it is no error. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Supervisors of a containerd, and all that they started. */
async function processesOf(folder: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1)
  const read = (pid: number, file: string): Promise<string> =>
    readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
  const found: number[] = []
  for (const pid of pids) if ((await read(pid, 'cmdline')).includes(`${folder}/`)) found.push(pid)
  const inside: number[] = []
  for (const pid of pids)
    if (new RegExp(`/holm-${namespace}-`).test(await read(pid, 'cgroup'))) inside.push(pid)
  return [...inside, ...found]
}
