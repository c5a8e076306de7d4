import { spawn } from 'node:child_process'
import { expect, it, onTestFinished } from 'vitest'
import { setStage, type Stage } from '../../../test/memory-host.ts'
import type { HostApi } from '../../index.ts'

async function stageUp(without: readonly string[] = []): Promise<Stage & { readonly host: HostApi }> {
  const stage = await setStage()
  for (const facet of without) Reflect.deleteProperty(stage.provider, facet)
  stage.blueprint('name: web\nbase: host\n')
  const host = await stage.open()
  await host.up()
  return { ...stage, host }
}

const status = async (host: HostApi): Promise<string> => (await host.status('web')).status
const later = (): number => Date.now() + 60_000

it('counts the uses of an environment that is watched, and of no other', async () => {
  const { host } = await stageUp()
  await host.exec({ environment: 'web', argv: ['true'] })
  expect(host.idle.uses('web')).toBeUndefined()
  host.idle.watch('web')
  const first = host.idle.uses('web')?.lastAt ?? 0
  const process = await host.exec({ environment: 'web', argv: ['cat'], stdin: 'pipe' })
  expect(host.idle.uses('web')).toMatchObject({ sessions: 1, asleep: false })
  const other = await host.exec({ environment: 'web', argv: ['true'], unattended: true })
  await other.exited
  expect(host.idle.uses('web')).toMatchObject({ sessions: 1 })
  process.stdin?.end()
  await process.exited
  await expect.poll(() => host.idle.uses('web')?.sessions, { timeout: 30_000 }).toBe(0)
  expect(host.idle.uses('web')?.lastAt).toBeGreaterThan(first)
  host.idle.forget('web')
  expect(host.idle.uses('web')).toBeUndefined()
})

it.each([
  { what: 'pauses', without: [], sleeping: 'paused' },
  { what: 'stops, where nothing can be paused,', without: ['pause'], sleeping: 'stopped' },
])('$what what nobody uses, and the next use wakes it', async ({ without, sleeping }) => {
  const { host, shell, open } = await stageUp(without)
  host.idle.watch('web')
  const { lastAt = 0 } = host.idle.uses('web') ?? {}
  await expect(host.idle.sleep('web', { unusedSince: lastAt - 1 })).resolves.toBeUndefined()
  await expect(host.idle.sleep('web', { unusedSince: later() })).resolves.toMatchObject({ status: sleeping })
  await expect(host.idle.sleep('web', { unusedSince: later() })).resolves.toBeUndefined()
  const looked = host.exec({ environment: 'web', argv: ['true'], unattended: true })
  await expect(looked).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
  // Two at once, of two holms: one wakes it, the other waits.
  const both = [host, await open()].map((each) => shell(each, 'web', 'echo awake'))
  await expect(Promise.all(both)).resolves.toEqual(['awake\n', 'awake\n'])
  expect([await status(host), host.idle.uses('web')?.asleep]).toEqual(['running', false])
})

it('leaves alone what somebody uses, and what somebody stopped', async () => {
  const { host } = await stageUp()
  await expect(host.idle.sleep('web', { unusedSince: later() })).resolves.toBeUndefined()
  host.idle.watch('web')
  const process = await host.exec({ environment: 'web', argv: ['cat'], stdin: 'pipe' })
  await expect(host.idle.sleep('web', { unusedSince: later() })).resolves.toBeUndefined()
  process.stdin?.end()
  await process.exited
  await host.stop('web')
  await host.idle.wake('web')
  expect(await status(host)).toBe('stopped')
  await expect(host.exec({ environment: 'web', argv: ['true'] })).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_NOT_RUNNING',
  })
  await host.destroy('web')
  expect(host.idle.uses('web')).toBeUndefined()
})

it('does not take the use of a killed holm for one that goes on', { timeout: 60_000 }, async () => {
  const { host, folder, project } = await stageUp()
  host.idle.watch('web')
  const script = `
    import { beginUse } from ${JSON.stringify(import.meta.resolve('./uses.ts'))}
    beginUse({ paths: { data: ${JSON.stringify(`${folder}/home/data`)} }, namespace: 'holm' }, 'web')
    console.log('begun')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: project })
  onTestFinished(() => void child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  expect(host.idle.uses('web')?.sessions).toBe(1)
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  expect(host.idle.uses('web')?.sessions).toBe(0)
})
