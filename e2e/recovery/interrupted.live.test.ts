import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { listEngineTraces } from '../support/engine.ts'
import { createTestHolm, missingBuild, runProgram, type TestHolm } from '../support/holm.ts'
import {
  appears,
  createCutEngine,
  errorOf,
  makeProject,
  prepareBase,
  readIfThere,
  runtimes,
  startHolm,
  waitForGo,
} from './support.ts'

const engine = process.env['HOLM_TEST_DOCKER_HOST'] ?? ''

describe.each(runtimes)('$provider', ({ provider, base, missing }) => {
  const reason = missingBuild() ?? missing
  let holm: TestHolm
  const up = ['up', '--provider', provider]
  const waiting = { base, lifecycle: { onCreate: waitForGo } }

  beforeAll(async () => {
    holm = createTestHolm()
    if (reason === undefined) await prepareBase(holm, base)
  })
  afterAll(() => holm.dispose())
  beforeEach((ctx) => {
    if (reason !== undefined) ctx.skip(reason)
  })

  const environments = (): Promise<unknown> => holm.json(['list', '--all'])
  /** What the engine still has of this holm. */
  const traces = (): Promise<string[]> =>
    listEngineTraces(provider === 'docker' ? engine : '', holm.namespace)

  test('Ctrl-C in the middle of up leaves nothing, and says so', async () => {
    const project = makeProject(holm, 'interrupted', waiting)
    const running = startHolm(holm, up, { cwd: project })
    await appears(join(project, 'running'), running)
    process.kill(-running.child.pid!, 'SIGINT')
    const ended = await running.ended
    expect(ended).toMatchObject({
      code: 130,
      stderr: expect.stringContaining('removed the half-made environment interrupted'),
    })
    await expect(environments()).resolves.toEqual([])
    await expect(traces()).resolves.toEqual([])
  })

  test('kill -9 in the middle of up is seen, and healed by the next up', async () => {
    const project = makeProject(holm, 'killed', waiting)
    const running = startHolm(holm, up, { cwd: project })
    await appears(join(project, 'running'), running)
    process.kill(-running.child.pid!, 'SIGKILL')
    await running.ended
    await expect(environments()).resolves.toMatchObject([
      { name: 'killed', status: 'failed', reason: expect.stringContaining('interrupted') },
    ])
    rmSync(join(project, 'running'))
    writeFileSync(join(project, 'go'), '')
    const healed = await holm.run(up, { cwd: project })
    expect(healed).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('removed the half-made environment killed'),
    })
    await expect(environments()).resolves.toMatchObject([{ name: 'killed', status: 'running' }])
    await expect(holm.run(['destroy', 'killed', '--yes'])).resolves.toMatchObject({ code: 0 })
    await expect(environments()).resolves.toEqual([])
  })

  test('kill -9 in the middle of up is healed by destroy', async () => {
    const project = makeProject(holm, 'abandoned', waiting)
    const running = startHolm(holm, up, { cwd: project })
    await appears(join(project, 'running'), running)
    process.kill(-running.child.pid!, 'SIGKILL')
    await running.ended
    await expect(holm.run(['destroy', '--yes'], { cwd: project })).resolves.toMatchObject({ code: 0 })
    await expect(environments()).resolves.toEqual([])
    await expect(traces()).resolves.toEqual([])
  })

  test('of two ups of one name one wins, and the other says who is there', async () => {
    const project = makeProject(holm, 'twice', waiting)
    const first = startHolm(holm, up, { cwd: project })
    await appears(join(project, 'running'), first)
    const second = await holm.run([...up, '--json'], { cwd: project })
    expect(second.code).toBe(7)
    expect(errorOf(second)).toMatchObject({ code: 'HOLM_ENVIRONMENT_BUSY', details: { operation: 'up' } })
    await expect(holm.run(['destroy', 'twice', '--yes', '--json'])).resolves.toMatchObject({ code: 7 })
    writeFileSync(join(project, 'go'), '')
    await expect(first.ended).resolves.toMatchObject({ code: 0 })
    await expect(environments()).resolves.toMatchObject([{ name: 'twice', status: 'running' }])
    await holm.run(['destroy', 'twice', '--yes'])
  })

  test('eight ups at once of different names all come up', async () => {
    const projects = Array.from({ length: 8 }, (_, index) => makeProject(holm, `many-${index}`, { base }))
    const ended = await Promise.all(projects.map((cwd) => holm.run(up, { cwd })))
    expect(ended.map(({ code, stderr }) => (code === 0 ? 'up' : stderr))).toEqual(Array(8).fill('up'))
    await expect(environments()).resolves.toHaveLength(8)
    await expect(holm.run(['destroy', '--all', '--yes'])).resolves.toMatchObject({ code: 0 })
    await expect(environments()).resolves.toEqual([])
  })

  test('a script that fails is named with its code, and nothing is left; with --keep it stays', async () => {
    const project = makeProject(holm, 'failing', {
      base,
      lifecycle: { onCreate: 'echo the cause >&2; exit 9' },
    })
    const ended = await holm.run([...up, '--json'], { cwd: project })
    expect(ended.code).toBe(8)
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_COMMAND_FAILED',
      message: expect.stringMatching(/onCreate.*code 9[\s\S]*the cause/),
    })
    await expect(environments()).resolves.toEqual([])
    await holm.run([...up, '--keep'], { cwd: project })
    await expect(environments()).resolves.toMatchObject([{ name: 'failing', status: 'failed' }])
    await holm.run(['destroy', 'failing', '--yes'])
  })

  test('a script that hangs ends at the deadline of the configuration', async () => {
    const project = makeProject(holm, 'hanging', waiting)
    const ended = await holm.run([...up, '--json'], { cwd: project, env: { HOLM_UP__TIMEOUT: '4s' } })
    expect(ended.code).toBe(124)
    expect(errorOf(ended)).toMatchObject({ code: 'HOLM_TIMEOUT', message: expect.stringContaining('4 s') })
    await expect(environments()).resolves.toEqual([])
  })

  test('a damaged state file is set aside and rebuilt from what is there', async () => {
    const project = makeProject(holm, 'survivor', { base })
    await holm.json(up, { cwd: project })
    const data = join(holm.home, 'data')
    for (const file of readdirSync(data).filter((name) => name.startsWith('state.db')))
      rmSync(join(data, file))
    writeFileSync(join(data, 'state.db'), 'this was a database '.repeat(100))
    const listed = await holm.run(['list', '--json'])
    expect(listed.stderr).toMatch(/state file was damaged; it was moved to .*state\.db\.damaged-/)
    expect(JSON.parse(listed.stdout)).toMatchObject([{ name: 'survivor', status: 'running', project }])
    expect(readdirSync(data).filter((name) => name.includes('damaged'))).toHaveLength(1)
    await expect(holm.run(['exec', 'survivor', '--', 'true'])).resolves.toMatchObject({ code: 0 })
    await expect(holm.run(['destroy', 'survivor', '--yes'])).resolves.toMatchObject({ code: 0 })
  })

  test('commands in a stopped environment are refused with the way to start it', async () => {
    const project = makeProject(holm, 'stopped', { base })
    await holm.json(up, { cwd: project })
    await holm.json(['stop'], { cwd: project })
    const ended = await holm.run(['exec', '--json', '--', 'true'], { cwd: project })
    expect(ended.code).toBe(7)
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_ENVIRONMENT_NOT_RUNNING',
      hint: 'Start it with: holm start stopped',
    })
    await holm.run(['destroy', '--yes'], { cwd: project })
    await expect(holm.run(['destroy', 'stopped', '--yes', '--json'])).resolves.toMatchObject({ code: 7 })
  })

  test('a full disk is said, and nothing half-made remains', async (ctx) => {
    if (process.getuid?.() !== 0 || process.platform !== 'linux')
      ctx.skip('mounting a small disk needs root on Linux')
    const project = makeProject(holm, 'full', { base })
    const script = 'mount -t tmpfs -o size=32k tmpfs "$HOLM_HOME" && exec "$0" "$@"'
    const home = join(holm.home, 'small')
    await runProgram(['mkdir', '-p', home])
    const bin = join(import.meta.dirname, '../../bin/holm')
    const argv = ['unshare', '--mount', 'sh', '-c', script, bin, ...up, '--json']
    const ended = await runProgram(argv, { cwd: project, env: { ...holm.env, HOLM_HOME: home } })
    expect(ended.code).toBe(7)
    expect(errorOf(ended)).toMatchObject({ code: 'HOLM_DISK_FULL' })
    await expect(environments()).resolves.toEqual([])
    await expect(traces()).resolves.toEqual([])
  })
})

describe('docker alone', () => {
  const [{ base, missing }] = runtimes
  const reason = missingBuild() ?? missing
  let holm: TestHolm
  beforeAll(async () => {
    holm = createTestHolm()
    if (reason === undefined) await prepareBase(holm, base)
  })
  afterAll(() => holm.dispose())
  beforeEach((ctx) => {
    if (reason !== undefined) ctx.skip(reason)
  })

  test('an engine that stops in the middle of up is an error, not a hang, and the next up heals', async () => {
    const project = makeProject(holm, 'cut', { base, lifecycle: { onCreate: waitForGo } })
    const socket = await createCutEngine(engine, join(holm.home, 'cut.sock'))
    const env = { DOCKER_HOST: socket.host }
    const running = startHolm(holm, ['up', '--provider', 'docker', '--json'], { cwd: project, env })
    await appears(join(project, 'running'), running)
    socket.cut()
    const ended = await running.ended
    expect([5, 7]).toContain(ended.code)
    expect(errorOf(ended).code).toMatch(/^HOLM_(PROVIDER_UNAVAILABLE|ENVIRONMENT_FAILED)$/)
    const listed = await holm.run(['list', '--json'], { env })
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { name: 'cut', status: expect.stringMatching(/unknown|failed/) },
    ])
    await socket.restore()
    writeFileSync(join(project, 'go'), '')
    await expect(holm.run(['up'], { cwd: project, env })).resolves.toMatchObject({ code: 0 })
    await expect(holm.json(['list'], { env })).resolves.toMatchObject([{ name: 'cut', status: 'running' }])
    await expect(holm.run(['destroy', 'cut', '--yes'], { env })).resolves.toMatchObject({ code: 0 })
    socket.close()
  })

  test('a container that somebody removed is forgotten and made anew', async () => {
    const project = makeProject(holm, 'gone', { base })
    await holm.json(['up', '--provider', 'docker'], { cwd: project })
    const removed = await runProgram([
      'curl',
      '-sf',
      '-X',
      'DELETE',
      '--unix-socket',
      engine.replace('unix://', ''),
      `http://d/containers/${holm.namespace}-gone?force=1`,
    ])
    expect(removed.code).toBe(0)
    const ended = await holm.run(['exec', '--json', '--', 'true'], { cwd: project })
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_ENVIRONMENT_NOT_FOUND',
      hint: expect.stringContaining('holm up'),
    })
    const again = await holm.run(['up'], { cwd: project })
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('removed outside holm') })
    await holm.run(['destroy', '--yes'], { cwd: project })
  })

  test('an image that nobody has fails at once, with the ways to get it', async () => {
    const project = makeProject(holm, 'missing', { base: { image: 'holm.invalid/no/such:1' } })
    const ended = await holm.run(['up', '--provider', 'docker', '--json'], {
      cwd: project,
      timeoutMs: 20_000,
    })
    expect(ended.code).toBe(7)
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_IMAGE_MISSING',
      message: expect.stringContaining('holm.invalid/no/such:1'),
      hint: expect.stringContaining('holm base add'),
    })
    expect(readIfThere(join(project, 'running'))).toBeUndefined()
    await expect(holm.json(['list', '--all'])).resolves.toEqual([])
  })

  test('no engine at all is not usable, with the fix', async () => {
    const project = makeProject(holm, 'nobody', { base })
    const env = { DOCKER_HOST: 'unix:///nonexistent/docker.sock' }
    const ended = await holm.run(['up', '--provider', 'docker', '--json'], { cwd: project, env })
    expect(ended.code).toBe(5)
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_PROVIDER_UNAVAILABLE',
      hint: expect.stringMatching(/\w/),
    })
  })
})
