import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFaultHolm, expectCode, type FaultHolm } from '../faults/support/fault-holm.ts'
import { runtimes, whyNot } from '../support/runtimes.ts'
import { killKeepers, killWhenSeen } from './support/processes.ts'
import {
  expectAsBefore,
  expectClearError,
  held,
  listBefore,
  listStatuses,
  prepareSmall,
} from './support/small.ts'

/** What keeps an environment where no daemon does, by its command line. */
const keepers = {
  lxc: /^lxc-start |^\[lxc monitor\]/,
  qemu: /qemu-system/,
  sandbox: /holm-sandbox/,
} as const

/** Commands that copy what runs; on a virtual machine one, for each costs a boot. */
const copies = {
  lxc: [
    ['snapshot', 'create', 'one', 'half'],
    ['clone', 'one', 'two'],
    ['export', 'one', 'half.tar'],
  ],
  qemu: [['snapshot', 'create', 'one', 'half']],
  sandbox: [
    ['snapshot', 'create', 'one', 'half'],
    ['clone', 'one', 'two'],
    ['export', 'one', 'half.tar'],
  ],
} as const

const failed = { exit: 7, code: 'HOLM_ENVIRONMENT_FAILED' } as const

let holm: FaultHolm
beforeEach(() => {
  holm = createFaultHolm()
})
afterEach(() => holm.dispose())

describe.each(['lxc', 'qemu', 'sandbox'] as const)('%s', (provider) => {
  beforeEach(async (ctx) => {
    const runtime = runtimes.find((each) => each.provider === provider)
    const reason = runtime === undefined ? `no runtime ${provider}` : await whyNot(holm, runtime)
    if (reason !== undefined) ctx.skip(reason)
  })

  const folder = (name = ''): string =>
    join(holm.home, 'data', 'plugins-data', provider, holm.namespace, 'environments', name)

  const killIt = (): void => expect(killKeepers(folder('one'), keepers[provider])).toBe(1)

  async function expectUpEnds(): Promise<void> {
    const starting = holm.start(['up', '-v'])
    await starting.said('ok   create')
    await killWhenSeen(folder('one'), keepers[provider])
    expectClearError(['up'], await starting.ended, failed)
    const provisioning = holm.start(['up', '-v'])
    await provisioning.said('it goes on')
    killIt()
    expectClearError(['up'], await provisioning.ended, failed)
    expect(await listStatuses(holm)).toEqual({})
  }

  async function expectProgramsEnd(): Promise<void> {
    const write = 'echo it goes on >/proc/1/fd/1; echo kept >/kept; sync'
    await expectCode(holm, ['exec', '--', 'sh', '-c', write], 0)
    const input = 'echo it goes on; sleep 1000\n'
    const log = holm.start(['logs', '-f'])
    const program = holm.start(['exec', '--', 'sh', '-c', input])
    const shell = holm.start(['shell'], { input })
    for (const each of [log, program, shell]) await each.said('it goes on')
    killIt()
    for (const each of [program, shell]) {
      const ended = await each.ended
      // Killed with what it ran in; or the way into it was lost, which is told.
      if (ended.code !== 137) expectClearError(['exec'], ended, failed)
    }
    // The log ends with what wrote it.
    expect((await log.ended).code).toBe(0)
    expect(await listStatuses(holm)).toEqual({ one: 'stopped' })
    expect((await expectCode(holm, ['status', '--json'], 0)).stdout).toMatch(/"reason":"its [\w ]+ ended/)
  }

  async function expectCopiesEnd(): Promise<void> {
    for (const args of copies[provider]) {
      await expectCode(holm, ['start', 'one'], 0)
      const copying = holm.start(args)
      await killWhenSeen(folder('one'), keepers[provider])
      const ended = await copying.ended
      // Its files are there without it: a copy of them is whole, or there is none.
      if (ended.code !== 0) expectClearError(args, ended, failed)
    }
  }

  async function expectBuildEnds(): Promise<void> {
    await prepareSmall(holm, provider, held)
    const building = holm.start(['build', '-v'])
    await building.said('it goes on')
    expect(killKeepers(folder(), keepers[provider])).toBeGreaterThan(0)
    expectClearError(['build'], await building.ended, failed)
    expect(JSON.parse((await expectCode(holm, ['image', 'list', '--json'], 0)).stdout)).toEqual([])
  }

  async function expectItWorks(): Promise<void> {
    await expectCode(holm, ['start', 'one'], 0)
    expect((await expectCode(holm, ['exec', 'one', '--', 'cat', '/kept'], 0)).stdout).toBe('kept\n')
  }

  test('what keeps an environment is killed while it starts, is provisioned, works, and is copied', async () => {
    await prepareSmall(holm, provider, held)
    const before = await listBefore(holm)
    await expectUpEnds()
    await prepareSmall(holm, provider)
    await expectCode(holm, ['up'], 0)
    await expectProgramsEnd()
    await expectItWorks()
    await expectCopiesEnd()
    if (provider !== 'qemu') await expectBuildEnds()
    await expectItWorks()
    await expectCode(holm, ['destroy', '--all', '--yes', '--volumes'], 0)
    await expectAsBefore(holm, before)
  })
})
