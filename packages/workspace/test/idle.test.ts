import { expect, it, onTestFinished } from 'vitest'
import { watchIdle, type Sleeper } from '../src/pause/watcher.ts'
import { setStage, type Stage } from './stage.ts'

const deadline = { timeout: 60_000 }

async function watch({ host }: Stage, autoStart = true) {
  const said: string[] = []
  const sleepers: Sleeper[] = [{ name: 'one', idleMs: 2000 }]
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const ended = watchIdle({
    host,
    list: () => sleepers,
    autoStart,
    signal: controller.signal,
    say: (text) => void said.push(text),
  })
  const status = async (): Promise<string> => (await host.status('one')).status
  return { said, sleepers, ended, status }
}

async function stageUp(): Promise<Stage> {
  const stage = await setStage()
  // Other programs of this machine are none of its own.
  const sample = () => Promise.resolve({ cpuPercent: 0, memoryBytes: 0, processes: 1 })
  Object.assign(stage.provider, { metrics: { sample } })
  await stage.host.up({ cwd: stage.repository, name: 'one' })
  const { inspect } = stage.provider
  stage.provider.inspect = async (...given) => ({ ...(await inspect(...given)), address: '127.0.0.1' })
  return stage
}

it(
  'puts to sleep what nobody uses, wakes it at the next use, and ends with the last',
  { timeout: 120_000 },
  async () => {
    const stage = await stageUp()
    const { said, sleepers, ended, status } = await watch(stage)
    const busy = await stage.host.exec({ environment: 'one', argv: ['cat'], stdin: 'pipe' })
    await expect.poll(() => stage.host.idle.uses('one')?.asleep, deadline).toBe(false)
    expect(await status()).toBe('running')
    busy.stdin?.end()
    await busy.exited
    await expect.poll(status, deadline).toBe('paused')
    await expect.poll(() => said, deadline).toEqual(['one was not used for 2 s: it is paused'])
    const woken = await stage.host.exec({ environment: 'one', argv: ['true'] })
    expect(await woken.exited).toMatchObject({ code: 0 })
    await expect.poll(status, deadline).toBe('paused')
    sleepers.length = 0
    await ended
  },
)

it('leaves the waking to start where it is told so', { timeout: 120_000 }, async () => {
  const stage = await stageUp()
  const { status } = await watch(stage, false)
  await expect.poll(status, deadline).toBe('paused')
  await expect.poll(() => stage.host.idle.uses('one'), deadline).toBeUndefined()
  await expect(stage.host.exec({ environment: 'one', argv: ['true'] })).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_NOT_RUNNING',
  })
})
