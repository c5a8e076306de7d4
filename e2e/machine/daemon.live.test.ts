import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFaultHolm, expectCode, expectError, type FaultHolm } from '../faults/support/fault-holm.ts'
import { addPlugin } from '../faults/support/plugins.ts'
import { missingBuild } from '../support/holm.ts'
import { missingDaemon, startDaemon, type Daemon } from './support/daemons.ts'
import {
  expectAsBefore,
  expectClearError,
  held,
  listBefore,
  listStatuses,
  prepareSmall,
} from './support/small.ts'

const unavailable = { exit: 5, code: 'HOLM_PROVIDER_UNAVAILABLE' } as const

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

/** A plugin of the project that kills the daemon so long after a step began. */
function killAtStep({ pid }: Daemon, step: string, afterMs = 0): void {
  addPlugin(
    holm,
    `api.hook('onEvent', (event) => {
      if (event.type !== 'step-started' || event.step !== ${JSON.stringify(step)}) return
      const kill = () => process.kill(${pid}, 'SIGKILL')
      if (${afterMs} === 0) kill()
      else setTimeout(kill, ${afterMs})
    })`,
  )
}

const withoutPlugin = (): void => rmSync(join(holm.project, 'holm.config.json'))

describe.each(['docker', 'containerd'] as const)('%s', (provider) => {
  beforeEach(async (ctx) => {
    const reason = missingBuild() ?? missingDaemon(provider)
    if (reason !== undefined) ctx.skip(reason)
    daemon = await startDaemon(holm, provider)
  })

  const own = (): Daemon => {
    if (daemon === undefined) throw new Error('no daemon was started')
    return daemon
  }

  /** Another environment, of a blueprint of its own; returns its folder. */
  function writeOther(name: string, text: string): string {
    const folder = join(holm.folder, name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'holm.yaml'), `name: ${name}\nproject: false\n${text}`)
    return folder
  }

  const dead = { ...unavailable, says: ['answer'], hint: 'Start', timeoutMs: 30_000 } as const

  test('killed while much goes on: each command ends and says why; the daemon comes back, and all is right', async () => {
    await prepareSmall(holm, provider)
    const before = await listBefore(holm)
    const sandbox = writeOther('apart', 'base: host\nprovider: sandbox\n')
    await expectCode(holm, ['up'], { exit: 0, cwd: sandbox })
    await expectCode(holm, ['up'], 0)
    await expectCode(holm, ['exec', '--', 'sh', '-c', 'echo goes on >/proc/1/fd/1'], 0)
    const made = writeOther('two', `base: small\nprovider: ${provider}\nnetwork: none\n${held}`)
    const commands: readonly (readonly string[])[] = [
      ['up', '-v'],
      ['exec', 'one', '--', 'sh', '-c', 'echo goes on; sleep 1000'],
      ['shell', 'one'],
      ['logs', 'one', '-f'],
    ]
    const input = 'echo goes on; sleep 1000\n'
    const started = commands.map((args) => holm.start(args, { cwd: made, input }))
    await Promise.all(started.map((each) => each.said('goes on')))
    await own().kill()
    for (const [index, each] of started.entries())
      expectClearError(commands[index] ?? [], await each.ended, unavailable)

    expect(await listStatuses(holm)).toEqual({ apart: 'running', one: 'unknown', two: 'unknown' })
    for (const args of [
      ['status', 'one'],
      ['destroy', 'two', '--yes'],
      ['exec', 'one', '--', 'true'],
    ])
      await expectError(holm, args, dead)
    await expectError(holm, ['up'], { ...dead, cwd: made })
    // A refused destroy has forgotten nothing.
    expect(await listStatuses(holm)).toEqual({ apart: 'running', one: 'unknown', two: 'unknown' })

    await own().start()
    expect(await listStatuses(holm)).toMatchObject({ apart: 'running', two: 'failed' })
    await expectCode(holm, ['start', 'one'], 0)
    writeFileSync(join(made, 'holm.yaml'), `name: two\nproject: false\nbase: small\nprovider: ${provider}\n`)
    const healed = await expectCode(holm, ['up'], { exit: 0, cwd: made })
    expect(healed.stdout + healed.stderr).toContain('half-made environment two')
    for (const name of ['one', 'two']) await expectCode(holm, ['exec', name, '--', 'true'], 0)
    await expectCode(holm, ['destroy', '--all', '--yes', '--volumes'], 0)
    await expectAsBefore(holm, before)
  })

  test.each([
    ['create', 100],
    ['start', 0],
    ['start', 100],
  ])('killed at the step %s, %i ms after its begin', async (step, afterMs) => {
    await prepareSmall(holm, provider, held)
    const before = await listBefore(holm)
    killAtStep(own(), step, afterMs)
    expectClearError(['up'], await holm.start(['up']).ended, unavailable)
    await own().kill()
    withoutPlugin()
    await own().start()
    const left = Object.values(await listStatuses(holm))
    expect(left.filter((status) => status !== 'failed')).toEqual([])
    await prepareSmall(holm, provider)
    await expectCode(holm, ['up'], 0)
    await expectCode(holm, ['exec', '--', 'true'], 0)
    await expectCode(holm, ['destroy', '--yes', '--volumes'], 0)
    await expectAsBefore(holm, before)
  })

  test.each([
    ['snapshot', ['snapshot', 'create', 'one', 'half']],
    ['clone', ['clone', 'one', 'two']],
    ['rootfs', ['export', 'one', 'half.tar']],
    ['setup', ['build']],
  ])('killed at the step %s of: %j', async (step, args) => {
    await prepareSmall(holm, provider, 'scripts: { setup: "head -c 20000000 /dev/zero > /big" }\n')
    const before = await listBefore(holm)
    await expectCode(holm, ['up'], 0)
    killAtStep(own(), step, 20)
    const ended = await holm.start(args).ended
    await own().kill()
    withoutPlugin()
    // What was quicker than the kill is whole.
    if (ended.code !== 0) expectClearError(args, ended, unavailable)
    const isWhole = ended.code === 0 && args[0] === 'export'
    expect(readdirSync(holm.project).includes('half.tar')).toBe(isWhole)
    await own().start()
    expect(Object.keys(await listStatuses(holm)).filter((name) => name !== 'one' && name !== 'two')).toEqual(
      [],
    )
    await expectCode(holm, ['start'], 0)
    // Under another name: the kill may have come after the work, and before its report.
    await expectCode(
      holm,
      args.map((word) => word.replace('half', 'whole').replace('two', 'three')),
      0,
    )
    await expectCode(holm, ['destroy', '--all', '--yes', '--volumes'], 0)
    await expectCode(holm, ['image', 'prune', '--yes', '--all'], 0)
    for (const name of ['half.tar', 'whole.tar']) rmSync(join(holm.project, name), { force: true })
    await expectAsBefore(holm, before)
  })
})
