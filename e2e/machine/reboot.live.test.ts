import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EnvironmentInfo } from '@holm/core'
import { createFaultHolm, expectCode, type FaultHolm } from '../faults/support/fault-holm.ts'
import { missingBuild } from '../support/holm.ts'
import { runtimes, whyNot } from '../support/runtimes.ts'
import { missingDaemon, startDaemon, type Daemon } from './support/daemons.ts'
import { listMachine } from './support/machine.ts'
import { killBelow } from './support/processes.ts'
import { forgetKernel, forgetRun, rebootedHolm, rememberKernel } from './support/reboot.ts'
import { expectAsBefore, listBefore, prepareSmall } from './support/small.ts'

let holm: FaultHolm
let daemon: Daemon | undefined
beforeEach(() => {
  holm = createFaultHolm()
})
afterEach(async () => {
  await holm.dispose()
  await daemon?.end()
  daemon = undefined
})

/** Bridges by name; ends of cables have another one each time, and rules another address: how many there are. */
function listNetwork(): { readonly bridges: readonly string[]; readonly rules: number } {
  const lines = listMachine()
  const links = lines.filter((line) => line.startsWith('interface '))
  return {
    bridges: links.filter((line) => !line.startsWith('interface veth')),
    rules: lines.filter((line) => line.startsWith('iptables-save ')).length,
  }
}

const withDaemon = (provider: string): provider is 'docker' | 'containerd' =>
  provider === 'docker' || provider === 'containerd'

describe.each(runtimes)('$provider', (runtime) => {
  const { provider } = runtime

  beforeEach(async (ctx) => {
    const reason =
      missingBuild() ?? (withDaemon(provider) ? missingDaemon(provider) : await whyNot(holm, runtime))
    if (reason !== undefined) ctx.skip(reason)
    if (withDaemon(provider)) daemon = await startDaemon(holm, provider)
  })

  test('all is right after a restart of the machine', async () => {
    await prepareSmall(holm, provider, 'volumes: [{ name: data, mount: /data }]\n')
    const before = await listBefore(holm)
    const kernel = rememberKernel()
    await expectCode(holm, ['up'], 0)
    const write = 'echo kept >/kept; echo kept >/data/kept; sync'
    await expectCode(holm, ['exec', '--', 'sh', '-c', write], 0)

    const network = listNetwork()

    const { namespace, home } = holm
    if (daemon) {
      await daemon.killAll()
      forgetKernel(kernel)
      forgetRun(daemon.folder, namespace)
      await daemon.start()
    } else {
      killBelow(join(home, 'data', 'plugins-data', provider, namespace, 'environments', 'one'))
      forgetKernel(kernel)
    }

    const run = rebootedHolm(holm)
    const list = async (): Promise<EnvironmentInfo[]> =>
      JSON.parse((await run(['list', '--json'])).stdout) as EnvironmentInfo[]
    expect(await list()).toMatchObject([{ name: 'one', status: 'stopped', ports: [] }])
    await run(['start'])
    expect((await run(['exec', '--', 'cat', '/kept', '/data/kept'])).stdout).toBe('kept\nkept\n')
    expect(await list()).toMatchObject([{ status: 'running' }])
    expect(listNetwork()).toEqual(network)
    await run(['stop'])
    await run(['up'])
    await run(['exec', '--', 'true'])
    await run(['destroy', '--yes', '--volumes'])
    await expectAsBefore(holm, before)
  })
})
