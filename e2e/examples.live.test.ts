import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EnvironmentInfo, UpResult } from '@holm/core'
import { root } from '../scripts/root.ts'
import { listEngineTraces } from './support/engine.ts'
import {
  createTestHolm,
  describeEnd,
  makeFolder,
  missingBuild,
  missingDocker,
  missingRootfs,
  runProgram,
  type TestHolm,
} from './support/holm.ts'
import { startServing } from './support/serve.ts'
import { listFolder, listMachineTraces, listStateRows } from './support/traces.ts'

const examples = join(root, 'examples')
const engine = process.env['HOLM_TEST_DOCKER_HOST'] ?? ''

let holm: TestHolm
let project: string

beforeEach(() => {
  holm = createTestHolm()
})

afterEach(async () => {
  await holm.dispose()
  if (project) rmSync(project, { recursive: true, force: true })
  project = ''
})

/** A copy: tests of several providers run at once, and an example in the checkout must stay as it is. */
function copyExample(name: string): string {
  project = makeFolder('holm-example-')
  const folder = join(project, name)
  cpSync(join(examples, name), folder, { recursive: true, filter: (path) => !path.endsWith('node_modules') })
  return folder
}

async function expectSuccess(argv: readonly string[], cwd: string): Promise<string> {
  const ended = await holm.run(argv, { cwd })
  expect(ended.code, describeEnd(['holm', ...argv], ended)).toBe(0)
  return ended.stdout + ended.stderr
}

describe.each([
  { provider: 'docker', missing: missingDocker },
  { provider: 'sandbox', missing: () => undefined },
])('python-service, a project with a devcontainer.json, on $provider', ({ provider, missing }) => {
  test('comes up, passes its own tests, answers over HTTP, and leaves nothing', async (ctx) => {
    const reason = missingBuild() ?? missingRootfs() ?? missing()
    if (reason !== undefined) ctx.skip(reason)
    const folder = copyExample('python-service')
    const port = await useFreePort(join(folder, '.devcontainer', 'devcontainer.json'))
    await expectSuccess(['base', 'add', 'debian-12', process.env['HOLM_TEST_ROOTFS'] ?? ''], folder)
    await expectSuccess(['list'], folder)
    const before = {
      project: listFolder(folder),
      home: listKept(),
      machine: listMachineTraces(holm.home, folder),
    }
    expect(before.machine).toEqual([])

    const up = (await holm.json(['up', '--provider', provider], { cwd: folder })) as UpResult
    expect(up.outcome).toBe('created')
    expect(up.environment).toMatchObject({ status: 'running', provider, project: folder })
    expect(up.warnings).toEqual([])

    const tests = await holm.run(
      ['exec', '--', 'python3', '-m', 'unittest', 'discover', '-s', 'tests', '-t', '.'],
      { cwd: folder },
    )
    expect(tests.code, describeEnd(['tests'], tests)).toBe(0)
    expect(tests.stderr).toMatch(/Ran 41 tests[^]*OK/)

    // What postCreateCommand made, on the volume, with containerEnv and remoteEnv in force.
    expect(
      await expectSuccess(['exec', '--', 'tidemark', 'add', 'http://tides.example', '--tag', 'sea'], folder),
    ).toBe('added http://tides.example/\n')
    await expectAnswers(folder, port)

    const again = (await holm.json(['up'], { cwd: folder })) as UpResult
    expect(again).toMatchObject({ outcome: 'running', changed: [] })

    await expectSuccess(['stop'], folder)
    await expectSuccess(['start'], folder)
    expect(await expectSuccess(['exec', '--', 'tidemark', 'find', '#sea'], folder)).toContain(
      'http://tides.example/',
    )

    await expectSuccess(['destroy', '--yes', '--volumes'], folder)
    expect(await holm.json(['list', '--all'])).toEqual([])
    expect(listStateRows(holm.home)).toEqual([])
    expect(listFolder(folder)).toEqual(before.project)
    expect(listKept()).toEqual(before.home)
    expect(listMachineTraces(holm.home, folder)).toEqual([])
    expect(await listEngineTraces(engine, holm.namespace)).toEqual([])
  })
})

/** The file's port 8473 may be taken on this machine. */
async function useFreePort(file: string): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('8473', String(port)))
  return port
}

/** Files of holm's home but its cache and its state file, whose rows are looked at: an environment may leave none. */
function listKept(): string[] {
  return listFolder(holm.home, ['cache'])
    .filter((line) => / (?:file|link) /.test(line))
    .filter((line) => !/\.(?:db|sqlite3?)(?:-wal|-shm)? /.test(line))
}

/** The service, started inside, answers at the address that `status` shows. */
async function expectAnswers(folder: string, port: number): Promise<void> {
  const { ports } = (await holm.json(['status'], { cwd: folder })) as EnvironmentInfo
  expect(ports.map(({ container }) => container)).toEqual([port])
  const { host, hostIp } = ports[0]!
  expect(hostIp).toBe('127.0.0.1')
  const server = holm.run(['exec', '--', 'timeout', '60', 'tidemark', 'serve'], { cwd: folder })
  const answer = await askUntilAnswered(`http://127.0.0.1:${host}/health`, 30_000)
  expect(answer).toEqual({ status: 'ok', bookmarks: 1 })
  await expectSuccess(['exec', '--', 'python3', '-c', killServer], folder)
  await server
}

const killServer = `
import os, signal
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        words = open(f'/proc/{pid}/cmdline').read().split('\\0')
    except OSError:
        continue
    if words[0].endswith('python3') and words[-2] == 'serve':
        os.kill(int(pid), signal.SIGTERM)
`

async function askUntilAnswered(url: string, withinMs: number): Promise<unknown> {
  const deadline = Date.now() + withinMs
  for (;;) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
      return await response.json()
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`${url} did not answer within ${withinMs} ms`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

test('services: its blueprint is valid and becomes what it says', async (ctx) => {
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
  const folder = copyExample('services')
  expect(await expectSuccess(['blueprint', 'validate'], folder)).toContain('holm.yaml is valid')
  const { spec } = (await holm.json(['blueprint', 'show'], { cwd: folder })) as {
    spec: Record<string, unknown>
  }
  expect(spec).toMatchObject({
    name: 'shop',
    ports: [
      { container: 3000, host: 8080, hostIp: '127.0.0.1' },
      { container: 9229, hostIp: '127.0.0.1' },
    ],
    resources: { cpus: 1.5, memoryBytes: 2 * 1024 ** 3, pids: 512 },
    secrets: {
      STRIPE_KEY: { from: 'env', key: 'SHOP_STRIPE_KEY' },
      NPM_TOKEN: { from: 'command', optional: true },
    },
  })
  const services = spec['services'] as { name: string; dependsOn: string[] }[]
  expect(Object.fromEntries(services.map(({ name, dependsOn }) => [name, dependsOn]))).toEqual({
    db: [],
    web: ['db'],
    worker: ['db'],
  })
})

test('sdk: the program does what its README says', async (ctx) => {
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
  const folder = join(examples, 'sdk')
  const before = listFolder(folder)
  const ended = await runProgram([process.execPath, 'main.ts'], {
    cwd: folder,
    env: { ...holm.env, HOLM_PROVIDER: 'sandbox' },
  })
  expect(ended.code, describeEnd(['node', 'main.ts'], ended)).toBe(0)
  const lines = ended.stdout.split('\n')
  expect(lines.filter((line) => !line.startsWith('step '))).toEqual([
    'sdk is created on sandbox',
    'Hello from a program',
    'exit code 0',
    'sdk: running',
    '',
  ])
  expect(lines.filter((line) => line.startsWith('step '))).toContain('step start')
  expect(listStateRows(holm.home)).toEqual([])
  expect(listFolder(folder)).toEqual(before)
})

test('remote: the program does what its README says', async (ctx) => {
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
  const folder = join(examples, 'remote')
  const before = listFolder(folder)
  project = makeFolder('holm-example-')
  const env = { ...holm.env, HOLM_PROVIDER: 'sandbox' }
  const serving = await startServing({ cwd: project, env })
  try {
    const ready = join(project, 'ready.json')
    writeFileSync(ready, JSON.stringify(serving))
    const ended = await runProgram([process.execPath, 'main.ts', ready], { cwd: folder, env })
    expect(ended.code, describeEnd(['node', 'main.ts'], ended)).toBe(0)
    expect(ended.stdout.split('\n')).toEqual([
      'remote is running on sandbox',
      'Hello from outside',
      'apple fig pear',
      'exit code 0',
      '',
    ])
  } finally {
    await serving.end('SIGTERM')
  }
  expect(listStateRows(holm.home)).toEqual([])
  expect(listFolder(folder)).toEqual(before)
})

test('hello: up, exec, destroy', async (ctx) => {
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
  const folder = copyExample('hello')
  await expectSuccess(['up'], folder)
  const output = await expectSuccess(['exec', '--', './hello.sh'], folder)
  expect(output).toContain('Hello from holm')
  expect(output).toContain('this folder: writable')
  expect(output).toMatch(/the rest: +read-only/)
  await expectSuccess(['destroy', '--yes'], folder)
  expect(listStateRows(holm.home)).toEqual([])
})
