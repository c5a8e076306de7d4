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
  runtimes,
  startHolm,
  waitForGo,
} from './support.ts'

const engine = process.env['HOLM_TEST_DOCKER_HOST'] ?? ''

describe.each(runtimes)('$provider', ({ provider, base, missing }) => {
  const reason = missingBuild() ?? missing
  let holm: TestHolm
  const up = ['up', '--provider', provider]

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
})
