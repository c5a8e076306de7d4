import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryProvider, type MemoryProvider } from '@holm/testkit/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { definePlugin, type HolmEvent, type HostApi } from '../../index.ts'
import type { HostOptions } from '../create-context.ts'
import { createHost } from '../create-host.ts'
import { readText } from '../runner.ts'

let folder: string
let project: string
let provider: MemoryProvider
const hosts: HostApi[] = []

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "holm up'")))
  project = join(folder, 'my project')
  mkdirSync(project)
  writeFileSync(join(project, 'holm.yaml'), 'base: host\nenvironment: { GREETING: hello }\n')
  provider = createMemoryProvider({ root: join(folder, 'memory') })
})
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.close()))
  await provider.dispose()
  rmSync(folder, { recursive: true })
})

const plugin = () =>
  definePlugin({
    name: 'test-memory',
    contract: 1,
    setup: (api) => void api.provide('provider', 'memory', () => provider),
  })

async function openHost(options: Partial<HostOptions> = {}): Promise<HostApi> {
  const env = { PATH: process.env['PATH'], HOME: folder, HOLM_HOME: join(folder, 'home'), ...options.env }
  const host = await createHost({ cwd: project, plugins: [plugin()], ...options, env })
  hosts.push(host)
  return host
}

const shell = async (host: HostApi, script: string): Promise<string> => {
  const process = await host.exec({ argv: ['/bin/sh', '-c', script] })
  const text = await readText(process.stdout)
  await process.exited
  return text
}

const methods = (): string[] => provider.calls.map(({ method }) => method)
const blueprint = (text: string): void => writeFileSync(join(project, 'holm.yaml'), text)

describe('up', () => {
  it('makes an environment from the blueprint of the folder, and the second time does nothing', async () => {
    const host = await openHost()
    const first = await host.up()
    expect(first).toMatchObject({
      outcome: 'created',
      environment: { name: 'my-project', status: 'running', provider: 'memory' },
      changed: [],
      warnings: [],
    })
    expect(first.steps.map(({ step }) => step)).toEqual(expect.arrayContaining(['create', 'start']))
    expect(await shell(host, 'printf %s "$GREETING"')).toBe('hello')
    const before = methods().length
    await expect((await openHost()).up()).resolves.toMatchObject({ outcome: 'running' })
    expect(methods().slice(before)).toEqual(['inspect'])
  })

  it('starts a stopped one and runs only the stages of a start', async () => {
    const log = JSON.stringify(join(folder, 'log'))
    blueprint(
      JSON.stringify({
        base: 'host',
        lifecycle: { postCreate: `echo created >> ${log}`, postStart: `echo started >> ${log}` },
      }),
    )
    const host = await openHost()
    await host.up()
    await host.stop()
    await expect(host.up()).resolves.toMatchObject({ outcome: 'started' })
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('created\nstarted\nstarted\n')
  })

  it('says what changed, changes nothing, and makes it anew with recreate', async () => {
    const host = await openHost()
    await host.up()
    blueprint('base: host\nenvironment: { GREETING: bye }\n')
    const second = await host.up()
    expect(second).toMatchObject({ outcome: 'running', changed: ['environment'] })
    expect(await shell(host, 'printf %s "$GREETING"')).toBe('hello')
    await expect(host.up({ recreate: true })).resolves.toMatchObject({ outcome: 'recreated', changed: [] })
    expect(await shell(host, 'printf %s "$GREETING"')).toBe('bye')
  })

  it('leaves nothing when provisioning fails, and says so; with keep it stays', async () => {
    blueprint('base: host\nscripts: { setup: exit 7 }\n')
    const host = await openHost()
    const events: HolmEvent[] = []
    await expect(host.up({ onEvent: (event) => events.push(event) })).rejects.toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
    })
    await expect(host.list()).resolves.toEqual([])
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'warning', message: 'removed the half-made environment my-project' }),
    )
    await expect(host.up({ keep: true })).rejects.toMatchObject({ code: 'HOLM_COMMAND_FAILED' })
    await expect(host.list()).resolves.toMatchObject([{ name: 'my-project', status: 'failed' }])
    await expect(host.destroy('my-project')).resolves.toEqual({ name: 'my-project', existed: true })
  })

  it('interrupted, leaves nothing', async () => {
    const host = await openHost()
    provider.faults['start'] = 'hang-until-abort'
    const controller = new AbortController()
    const onEvent = (event: HolmEvent): void => {
      if (event.type === 'step-started' && event.step === 'start') controller.abort()
    }
    await expect(host.up({ signal: controller.signal, onEvent })).rejects.toMatchObject({
      code: 'HOLM_INTERRUPTED',
    })
    delete provider.faults['start']
    await expect(host.list({ all: true })).resolves.toEqual([])
    await expect(host.up()).resolves.toMatchObject({ outcome: 'created' })
  })

  it('of one name twice at once: one wins, the other reports', async () => {
    provider.faults['create'] = { delayMs: 200 }
    const [a, b] = [await openHost(), await openHost()]
    const outcomes = await Promise.allSettled([a.up(), b.up()])
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const rejected = outcomes.find((outcome) => outcome.status === 'rejected')
    expect(rejected?.reason).toMatchObject({ code: 'HOLM_ENVIRONMENT_BUSY', details: { pid: process.pid } })
    await expect(a.list()).resolves.toHaveLength(1)
  })

  it('makes anew what was removed behind its back', async () => {
    const host = await openHost()
    await host.up()
    await provider.remove('my-project', { volumes: true }, memoryContext)
    await expect(host.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
    const again = await host.up()
    expect(again).toMatchObject({ outcome: 'created' })
    expect(again.warnings.join()).toContain('removed outside holm')
  })

  it('passes secrets to commands and never writes them down', async () => {
    blueprint(
      'base: host\nsecrets: { API_KEY: "env:MY_KEY" }\nlifecycle: { postCreate: "echo key=$API_KEY" }\n',
    )
    const events: HolmEvent[] = []
    const host = await openHost({ env: { MY_KEY: 'tr0ub4dor' }, onEvent: (event) => void events.push(event) })
    await host.up()
    expect(await shell(host, 'printf %s "$API_KEY"')).toBe('tr0ub4dor')
    expect(events.some((event) => event.type === 'output')).toBe(true)
    expect(JSON.stringify(events)).not.toContain('tr0ub4dor')
    const data = join(folder, 'home', 'data')
    for (const file of readdirSync(data).filter((name) => name.startsWith('state.db'))) {
      expect(readFileSync(join(data, file), 'latin1')).not.toContain('tr0ub4dor')
    }
    const poor = await openHost()
    await expect(poor.exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'HOLM_SECRET_MISSING' })
  })

  it('lets a plugin change the spec and veto', async () => {
    const gate = definePlugin({
      name: 'gate',
      contract: 1,
      setup(api) {
        api.hook('resolveSpec', (spec) => ({ ...spec, env: { ...spec.env, ADDED: 'yes' } }))
        api.hook('beforeRemove', () => {
          throw new Error('not today')
        })
      },
    })
    const host = await openHost({ plugins: [plugin(), gate] })
    await host.up()
    expect(await shell(host, 'printf %s "$ADDED"')).toBe('yes')
    await expect(host.destroy()).rejects.toMatchObject({ code: 'HOLM_HOOK_VETO', plugin: 'gate' })
    await expect(host.status()).resolves.toMatchObject({ status: 'running' })
  })
})

describe('a damaged state file', () => {
  it('is rebuilt from the labels of the runtime, and said so', async () => {
    const first = await openHost()
    await first.up()
    await first.close()
    writeFileSync(join(folder, 'home', 'data', 'state.db'), 'garbage '.repeat(200))
    for (const suffix of ['-wal', '-shm'])
      rmSync(join(folder, 'home', 'data', `state.db${suffix}`), { force: true })
    const events: HolmEvent[] = []
    const host = await openHost({ onEvent: (event) => void events.push(event) })
    await expect(host.list()).resolves.toMatchObject([{ name: 'my-project', status: 'running', project }])
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'warning',
        message: expect.stringMatching(/state file was damaged.*1 environments? (was|were)/),
      }),
    )
    await expect(host.destroy()).resolves.toMatchObject({ existed: true })
  })
})

it('a runtime that cannot be asked is told, not guessed', async () => {
  const host = await openHost()
  await host.up()
  provider.faults['list'] = { code: 'HOLM_PROVIDER_UNAVAILABLE', message: 'the daemon does not answer' }
  await expect(host.list()).resolves.toMatchObject([
    { name: 'my-project', status: 'unknown', reason: 'the daemon does not answer' },
  ])
})

it('finds the environment from a folder below the project', async () => {
  const host = await openHost()
  await host.up()
  mkdirSync(join(project, 'src', 'deep'), { recursive: true })
  await expect(
    host.status(undefined, { projectFolder: join(project, 'src', 'deep') }),
  ).resolves.toMatchObject({ name: 'my-project' })
  await expect(host.status(undefined, { projectFolder: folder })).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_NOT_FOUND',
  })
  await expect(host.status('my-projekt')).rejects.toMatchObject({ hint: 'Did you mean my-project?' })
})

const memoryContext = {
  signal: new AbortController().signal,
  runner: undefined as never,
  log: { debug() {}, info() {}, warn() {} },
  progress() {},
}

it('gives up at the deadline of the configuration, and leaves nothing', async () => {
  provider.faults['start'] = 'hang-until-abort'
  const host = await openHost({ env: { HOLM_UP__TIMEOUT: '300ms' } })
  await expect(host.up()).rejects.toMatchObject({ code: 'HOLM_TIMEOUT' })
  await expect(host.list({ all: true })).resolves.toEqual([])
})

it('gives each open port of eight environments at once a number of its own, kept over a restart', async () => {
  const projects = Array.from({ length: 8 }, (_, index) => join(folder, `p${index}`))
  for (const path of projects) {
    mkdirSync(path)
    writeFileSync(join(path, 'holm.yaml'), 'base: host\nports: [{ container: 8080 }]\n')
  }
  const ports = await Promise.all(
    projects.map(async (cwd) => (await (await openHost({ cwd })).up()).environment.ports[0]?.host),
  )
  expect(new Set(ports).size).toBe(8)
  expect(ports.every((port) => port !== undefined && port >= 32_800 && port <= 34_999)).toBe(true)
  const host = await openHost({ cwd: projects[0] ?? '' })
  await host.stop()
  expect((await host.up()).environment.ports[0]?.host).toBe(ports[0])
})

it('lets a variable build on one of the environment, also without a shell to probe', async () => {
  for (const probe of ['none', 'loginShell']) {
    mkdirSync(join(project, '.devcontainer'), { recursive: true })
    rmSync(join(project, 'holm.yaml'), { force: true })
    writeFileSync(
      join(project, '.devcontainer', 'devcontainer.json'),
      JSON.stringify({
        image: 'debian:bookworm',
        userEnvProbe: probe,
        remoteEnv: { PATH: '/opt/tool/bin:${containerEnv:PATH}' },
        onCreateCommand: 'sh -c true',
      }),
    )
    const host = await openHost()
    await host.up({ recreate: true })
    expect(await shell(host, 'printf %s "$PATH"')).toMatch(/^\/opt\/tool\/bin:.*\/bin/)
  }
})

it('asks the shell for its variables when something is first run as the user, and only once', async () => {
  mkdirSync(join(project, '.devcontainer'), { recursive: true })
  rmSync(join(project, 'holm.yaml'))
  const config = { image: 'debian:bookworm', remoteEnv: { MINE: '${containerEnv:PATH}:mine' } }
  writeFileSync(join(project, '.devcontainer', 'devcontainer.json'), JSON.stringify(config))
  const host = await openHost()
  await host.up()
  expect(methods()).not.toContain('exec')
  expect(await shell(host, 'printf %s "$MINE"')).toMatch(/\/bin.*:mine$/)
  const asked = methods().filter((method) => method === 'exec').length
  expect(asked).toBe(3)
  expect(await shell(await openHost(), 'printf %s "$MINE"')).toMatch(/\/bin.*:mine$/)
  expect(methods().filter((method) => method === 'exec')).toHaveLength(asked + 1)
})

it('removes the volumes of an environment that is gone, when they are asked for', async () => {
  const host = await openHost()
  await expect(host.destroy('never-was')).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
  await host.up()
  await host.destroy()
  await expect(host.destroy('my-project', { volumes: true })).resolves.toEqual({
    name: 'my-project',
    existed: false,
  })
  expect(provider.calls.at(-1)).toMatchObject({ method: 'remove', name: 'my-project' })
})

it('an unknown provider is told as such, also where an environment is there already', async () => {
  const host = await openHost()
  await host.up()
  await expect(host.up({ provider: 'memroy' })).rejects.toMatchObject({
    code: 'HOLM_PLUGIN_NOT_FOUND',
    hint: expect.stringContaining('memory'),
  })
})

it('keeps no record of what a runtime that is not there never made', async () => {
  provider.faults['create'] = { code: 'HOLM_PROVIDER_UNAVAILABLE', message: 'no daemon answers' }
  const host = await openHost()
  const events: HolmEvent[] = []
  await expect(host.up({ onEvent: (event) => void events.push(event) })).rejects.toMatchObject({
    code: 'HOLM_PROVIDER_UNAVAILABLE',
  })
  expect(events.filter((event) => event.type === 'warning')).toEqual([])
  await expect(host.list()).resolves.toEqual([])
})

it('adds to the blueprint what its caller says, keeps it with the environment, and takes another project', async () => {
  const shared = join(folder, 'shared')
  const elsewhere = join(folder, 'elsewhere')
  for (const path of [shared, elsewhere]) mkdirSync(path)
  writeFileSync(join(shared, 'seen'), 'shared')
  writeFileSync(join(elsewhere, 'file'), 'elsewhere')
  const host = await openHost()
  const overlay = {
    mounts: [{ type: 'bind', source: shared, target: '/shared', readonly: false }],
    env: { GREETING: 'overlaid', MORE: 'more' },
    resources: { cpus: 1 },
  } as const
  const inside = 'printf "%s %s " "$GREETING" "$MORE"; cat file ../shared/seen'
  await expect(host.up({ overlay, project: elsewhere })).resolves.toMatchObject({ outcome: 'created' })
  const run = async (): Promise<string> => {
    const process = await host.exec({ projectFolder: elsewhere, argv: ['/bin/sh', '-c', inside] })
    const text = await readText(process.stdout)
    await process.exited
    return text
  }
  expect(await run()).toBe('overlaid more elsewhereshared')
  await expect(host.up({ project: elsewhere })).resolves.toMatchObject({ outcome: 'running', changed: [] })
  await expect(host.up({ project: elsewhere, recreate: true })).resolves.toMatchObject({
    outcome: 'recreated',
  })
  expect(await run()).toBe('overlaid more elsewhereshared')
  await expect(host.up({ project: elsewhere, overlay: {} })).resolves.toMatchObject({
    changed: ['environment', 'mounts', 'resources'],
  })
})
