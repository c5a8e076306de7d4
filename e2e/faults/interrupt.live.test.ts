import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EnvironmentInfo, UpResult } from '@holm/core'
import { describeEnd, missingBuild, missingRootfs, type Ended } from '../support/holm.ts'
import {
  createFaultHolm,
  expectCode,
  expectError,
  listResidue,
  prepare,
  subjects,
  type FaultHolm,
} from './support/fault-holm.ts'
import { signalAtStep } from './support/plugins.ts'

let holm: FaultHolm
beforeEach(() => {
  holm = createFaultHolm()
})
afterEach(() => holm.dispose())

/** Provisioning that says when it runs, and goes on when the project has a file `go`. */
const held = `scripts:
  setup: |
    echo provisioning now
    while [ ! -e /workspace/go ]; do sleep 0.05; done
`
const busy = {
  exit: 7,
  code: 'HOLM_ENVIRONMENT_BUSY',
  says: ['environment one is busy: up by process '],
  hint: 'Wait for it to end',
}

async function listEnvironments(): Promise<readonly EnvironmentInfo[]> {
  return JSON.parse((await expectCode(holm, ['list', '--json'], 0)).stdout) as EnvironmentInfo[]
}

/** A signal that can be handled leaves nothing at once; one that cannot leaves at most what is shown as failed. */
async function expectEnd(sent: NodeJS.Signals, ended: Ended, before: readonly string[]): Promise<void> {
  rmSync(join(holm.project, 'holm.config.json'), { force: true })
  const killed = sent === 'SIGKILL'
  expect(ended.code, describeEnd(['up'], ended)).toBe(killed ? 137 : 130)
  expect(ended.stderr).toContain(killed ? '' : `error HOLM_INTERRUPTED: interrupted by ${sent}`)
  const statuses = (await listEnvironments()).map(({ status }) => status)
  expect(killed ? statuses.filter((status) => status !== 'failed') : statuses).toEqual([])
  expect(killed ? before : await listResidue(holm)).toEqual(before)
}

/** Who came a moment later finds it busy, or up already. */
function expectLoser({ stdout }: Ended): void {
  const { outcome, error } = JSON.parse(stdout) as { outcome?: string; error?: { code: string } }
  expect(['running', busy.code]).toContain(outcome ?? error?.code)
}

/** The next `up` makes it anew, and its end is complete. */
async function expectHealed(before: readonly string[]): Promise<void> {
  const up = JSON.parse((await expectCode(holm, ['up', '--json'], 0)).stdout) as UpResult
  expect(up.outcome).toBe('created')
  await expectCode(holm, ['exec', '--', 'true'], 0)
  await expectCode(holm, ['destroy', '--yes'], 0)
  expect(await listResidue(holm)).toEqual(before)
}

describe.each(subjects)('up on $provider', (subject) => {
  beforeEach((ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
  })

  describe.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('that gets %s', (signal) => {
    test.each(['create', 'start', 'setup'])(
      'at the begin of %s leaves nothing that does not heal',
      async (step) => {
        await prepare(holm, subject, 'scripts: { setup: "true" }\n')
        const before = await listResidue(holm)
        signalAtStep(holm, step, signal)
        const ended = await holm.start(['up']).ended
        await expectEnd(signal, ended, before)
        await expectHealed(before)
      },
    )

    test('in the middle of provisioning leaves nothing that does not heal', async () => {
      await prepare(holm, subject, held)
      const before = await listResidue(holm)
      const up = holm.start(['up', '-v'])
      await up.said('provisioning now')
      up.kill(signal)
      holm.write('holm.yaml', `name: one\nbase: ${subject.base}\nprovider: ${subject.provider}\n`)
      await expectEnd(signal, await up.ended, before)
      await expectHealed(before)
    })
  })

  test('that was killed is removed by destroy as well', async () => {
    await prepare(holm, subject, `volumes: [{ mount: /anonymous }]\n${held}`)
    const before = await listResidue(holm)
    const up = holm.start(['up', '-v'])
    await up.said('provisioning now')
    up.kill('SIGKILL')
    await up.ended
    expect(await listEnvironments()).toMatchObject([
      { name: 'one', status: 'failed', reason: expect.stringContaining('interrupted up') as string },
    ])
    await expectCode(holm, ['destroy', 'one', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('ends at once at the second Ctrl-C', async () => {
    await prepare(holm, subject, held)
    const before = await listResidue(holm)
    const up = holm.start(['up', '-v'])
    await up.said('provisioning now')
    up.kill('SIGINT')
    await up.said('interrupted: stopping and cleaning up (Ctrl-C again within 2 s: stop at once)')
    up.kill('SIGINT')
    expect((await up.ended).code).toBe(130)
    holm.write('go', '')
    await expectCode(holm, ['up'], 0)
    await expectCode(holm, ['destroy', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('is alone with its name: others report who has it', async () => {
    await prepare(holm, subject, held)
    const up = holm.start(['up', '-v'])
    await up.said('provisioning now')
    const saysPid = { ...busy, says: [`environment one is busy: up by process ${up.pid} `] }
    await expectError(holm, ['up'], saysPid)
    await expectError(holm, ['destroy', 'one', '--yes'], saysPid)
    await expectError(holm, ['stop', 'one'], saysPid)
    expect(await listEnvironments()).toMatchObject([{ name: 'one', status: 'creating' }])
    holm.write('go', '')
    const ended = await up.ended
    expect(ended.code, describeEnd(['up'], ended)).toBe(0)
    await expectCode(holm, ['destroy', 'one', '--yes'], 0)
  })

  test('started four times at the same moment is made once', async () => {
    await prepare(holm, subject)
    const ended = await Promise.all(Array.from({ length: 4 }, () => holm.run(['up', '--json'])))
    const winners = ended.filter(
      ({ code, stdout }) => code === 0 && (JSON.parse(stdout) as UpResult).outcome === 'created',
    )
    expect(winners, ended.map((each) => describeEnd(['up'], each)).join('\n')).toHaveLength(1)
    for (const each of ended.filter((end) => !winners.includes(end))) {
      expectLoser(each)
    }
    expect(await listEnvironments()).toMatchObject([{ name: 'one', status: 'running' }])
  })

  test('of eight names at once makes eight', { timeout: 60_000 }, async () => {
    await prepare(holm, subject, 'ports: ["0:7000"]\n')
    const before = await listResidue(holm)
    const names = Array.from({ length: 8 }, (_, index) => `many-${index}`)
    const ended = await Promise.all(names.map((name) => holm.run(['up', '--name', name])))
    for (const end of ended) expect(end.code, describeEnd(['up'], end)).toBe(0)
    const list = await listEnvironments()
    expect(list.map(({ name, status }) => `${name} ${status}`)).toEqual(
      names.map((name) => `${name} running`),
    )
    // A sandbox listens on this machine as it is: there the eight share the one number they asked for.
    const hosts = new Set(list.flatMap(({ ports }) => ports.map(({ host }) => host)))
    expect(hosts.size).toBe(subject.provider === 'docker' ? 8 : 1)
    await Promise.all(names.map((name) => expectCode(holm, ['destroy', name, '--yes'], 0)))
    expect(await listResidue(holm)).toEqual(before)
  })
})

test('up on sandbox that is killed while a base is unpacked heals with one whole copy', async (ctx) => {
  const reason = missingBuild() ?? missingRootfs()
  if (reason !== undefined) ctx.skip(reason)
  holm.write(
    'holm.yaml',
    `name: one\nbase: { rootfs: "${process.env['HOLM_TEST_ROOTFS']}" }\nprovider: sandbox\n`,
  )
  const copies = join(holm.home, 'cache', 'plugins', 'sandbox', 'rootfs')
  const up = holm.start(['up'])
  const early = up.ended.then((end) => Promise.reject(new Error(describeEnd(['up'], end))))
  await Promise.race([early, untilFilled(copies)])
  up.kill('SIGKILL')
  expect((await up.ended).code).toBe(137)
  await early.catch(() => undefined)
  await expectHealed([])
  expect(readdirSync(copies)).toEqual([expect.not.stringContaining('.draft')])
})

/** Resolves when there is something in the folder, whether or not it exists yet. */
async function untilFilled(folder: string): Promise<void> {
  while (!existsSync(folder) || readdirSync(folder).length === 0) await setImmediate()
}
