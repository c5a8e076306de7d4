import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import { methods } from '@holm/sdk/methods'
import workspace, { type Workspaces } from '@holm/workspace'
import { expect, expectTypeOf, it, onTestFinished } from 'vitest'
import type { RemoteWorkspaces } from '../src/contributed.ts'
import { refusal, setStage, type Stage } from './stage.ts'

function git(stage: Stage, ...args: readonly string[]): string {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  return execFileSync('git', args, { cwd: stage.project, env, encoding: 'utf8' }).trimEnd()
}

const alive = 'while [ -d "$STAGE" ]; do sleep 0.1; done'

interface Repository {
  readonly stage: Stage
  /** Names of its services; the second one needs the first. */
  readonly one: string
  readonly two: string
}

/**
 * The memory provider's environments are processes of this machine: services have names that no other test has, and programs that end
 * with the stage.
 */
async function setRepository(): Promise<Repository> {
  const stage = await setStage({ plugins: [workspace] })
  const unique = randomBytes(4).toString('hex')
  const [one, two] = [`one-${unique}`, `two-${unique}`]
  onTestFinished(() => {
    for (const name of [one, two])
      rmSync(`/tmp/.holm-services-${userInfo().uid}/${name}`, { recursive: true, force: true })
  })
  const environment = { STAGE: stage.folder }
  const services = {
    [one]: { command: ['sh', '-c', `echo hello; ${alive}`], environment },
    [two]: { command: ['sh', '-c', alive], depends_on: [one], environment },
  }
  stage.write('holm.yaml', JSON.stringify({ name: 'demo', base: 'host', services }))
  git(stage, 'init', '--quiet', '--initial-branch=main')
  git(stage, 'config', 'user.name', 'Ada')
  git(stage, 'config', 'user.email', 'ada@example.org')
  git(stage, 'add', '--all')
  git(stage, 'commit', '--quiet', '--message', 'first')
  // What is defined in this program is loaded with the first question that it may answer.
  await stage.host.commands.list()
  return { stage, one, two }
}

it('relies on what the workspace package has', () => {
  expectTypeOf<Workspaces>().toExtend<RemoteWorkspaces>()
})

it('makes, changes and removes workspaces', async () => {
  const { stage } = await setRepository()
  const client = await stage.client('websocket')
  const made = await client.call('workspace.create', { name: 'fix', folder: stage.project })
  expect(methods['workspace.create'].result.parse(made)).toMatchObject({
    branch: 'holm/fix',
    status: 'running',
  })
  await client.call('fs.writeFile', { environment: 'fix', path: "it's new", data: 'line\n' })
  expect(await client.call('git.status', { workspace: 'fix' })).toMatchObject({
    branch: 'holm/fix',
    into: 'main',
    changed: ["it's new"],
    ahead: 0,
  })
  expect((await client.call('git.diff', { workspace: 'fix' })).diff).toContain('+line')
  const { commit } = await client.call('git.commit', { workspace: 'fix', message: 'add "it"\n\nfor good' })
  expect((await client.call('git.log', { workspace: 'fix' })).commits).toMatchObject([
    { commit, author: 'Ada', subject: 'add "it"' },
  ])
  expect(await client.call('workspace.list', {})).toMatchObject({ workspaces: [{ name: 'fix', ahead: 1 }] })
  expect(await client.call('workspace.merge', { name: 'fix' })).toMatchObject({ into: 'main', merged: true })
  expect(stage.read("it's new")).toBe('line\n')
  expect(await client.call('workspace.stop', { name: 'fix' })).toMatchObject({ status: 'stopped' })
  expect(await client.call('workspace.start', { name: 'fix' })).toMatchObject({ status: 'running' })
  const renamed = await client.call('workspace.rename', { name: 'fix', to: 'tidy' })
  expect(renamed).toMatchObject({ name: 'tidy', branch: 'holm/tidy', status: 'running' })
  expect(await client.call('workspace.delete', { name: 'tidy' })).toEqual({ name: 'tidy' })
  const gone = await refusal(client.call('workspace.show', { name: 'fix' }))
  expect(gone).toMatchObject({ rpcCode: -32_003, code: 'HOLM_WORKSPACE_NOT_FOUND' })
})

it('controls services', async () => {
  const { stage, one, two } = await setRepository()
  const client = await stage.client('socket')
  await client.call('environment.up', { folder: stage.project })
  const states = ({
    services,
  }: {
    readonly services: readonly { readonly name: string; readonly state: string }[]
  }) => services.map(({ name, state }) => `${name} ${state}`)
  const environment = 'demo'
  const listed = methods['service.list'].result.parse(await client.call('service.list', { environment }))
  expect(states(listed)).toEqual([`${one} running`, `${two} running`])
  const stopped = await client.call('service.stop', { environment, services: [one] })
  expect(states(stopped)).toEqual([`${one} stopped`, `${two} stopped`])
  const started = await client.call('service.start', { environment, services: [two] })
  expect(states(started)).toEqual([`${one} running`, `${two} running`])
  expect((await client.call('service.logs', { environment, service: one, lines: 1 })).text).toBe('hello\n')
  const unknown = await refusal(client.call('service.restart', { environment, services: ['three'] }))
  expect(unknown).toMatchObject({ rpcCode: -32_003, code: 'HOLM_SERVICE_NOT_FOUND' })
  expect(await client.call('port.list', {})).toEqual({ ports: [] })
})
