import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { EnvironmentInfo, UpResult } from '@holm/core'
import { createFaultHolm, expectCode, listResidue, type FaultHolm } from '../faults/support/fault-holm.ts'
import { makeSmallRootfs } from '../faults/support/small-rootfs.ts'
import { signalAtStep } from '../faults/support/plugins.ts'
import { describeEnd } from '../support/holm.ts'
import { expectMachine, listMachine } from './support/machine.ts'
import { prepareRuntime, runtimes, whyNot, type Runtime } from '../support/runtimes.ts'

let holm: FaultHolm
/** What runtimes find out about this machine and keep: for qemu minutes, were it found out in every test. */
let cache: string
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'holm-cache-'))
})
afterAll(() => rmSync(cache, { recursive: true, force: true }))
beforeEach(() => {
  holm = createFaultHolm()
  symlinkSync(cache, join(holm.home, 'cache'))
})
afterEach(() => holm.dispose())

async function listEnvironments(): Promise<readonly EnvironmentInfo[]> {
  return JSON.parse((await expectCode(holm, ['list', '--json'], 0)).stdout) as EnvironmentInfo[]
}

describe.each(runtimes)('$provider', (runtime) => {
  // What is killed in between is the same with a root filesystem that is unpacked in a moment.
  const small: Runtime = { ...runtime, base: 'small', makeBase: makeSmallRootfs }

  beforeEach(async (ctx) => {
    const reason = await whyNot(holm, runtime)
    if (reason !== undefined) ctx.skip(reason)
  })

  test('leaves the machine as it was', async () => {
    await prepareRuntime(holm, runtime, 'ports: ["0:7000"]\n')
    const before = { machine: listMachine(), residue: await listResidue(holm) }
    await expectCode(holm, ['up'], 0)
    await expectCode(holm, ['exec', '--', 'true'], 0)
    await expectCode(holm, ['stop'], 0)
    await expectCode(holm, ['start'], 0)
    await expectCode(holm, ['destroy', '--yes', '--volumes'], 0)
    await expectMachine(before.machine)
    expect(await listResidue(holm)).toEqual(before.residue)
  })

  test.each(['create', 'start', 'setup'])('a holm killed at the begin of %s heals', async (step) => {
    await prepareRuntime(holm, small, 'ports: ["0:7000"]\nscripts: { setup: "true" }\n')
    const before = { machine: listMachine(), residue: await listResidue(holm) }
    signalAtStep(holm, step, 'SIGKILL')
    const killed = await holm.start(['up']).ended
    expect(killed.code, describeEnd(['up'], killed)).toBe(137)
    rmSync(join(holm.project, 'holm.config.json'))
    const statuses = (await listEnvironments()).map(({ status }) => status)
    expect(statuses.filter((status) => status !== 'failed')).toEqual([])
    const up = JSON.parse((await expectCode(holm, ['up', '--json'], 0)).stdout) as UpResult
    expect(up.outcome).toBe('created')
    await expectCode(holm, ['exec', '--', 'true'], 0)
    await expectCode(holm, ['destroy', '--yes', '--volumes'], 0)
    await expectMachine(before.machine)
    expect(await listResidue(holm)).toEqual(before.residue)
  })

  test('a holm killed in the middle of provisioning is removed by destroy', async () => {
    const setup = 'echo provisioning now; while :; do sleep 0.05; done'
    await prepareRuntime(holm, small, `scripts: { setup: "${setup}" }\n`)
    const before = { machine: listMachine(), residue: await listResidue(holm) }
    const up = holm.start(['up', '-v'])
    await up.said('provisioning now')
    up.kill('SIGKILL')
    await up.ended
    expect(await listEnvironments()).toMatchObject([{ name: 'one', status: 'failed' }])
    await expectCode(holm, ['destroy', 'one', '--yes'], 0)
    await expectMachine(before.machine)
    expect(await listResidue(holm)).toEqual(before.residue)
  })
})
