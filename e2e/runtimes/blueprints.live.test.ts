import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Blueprint } from '@holm/core'
import { createFaultHolm, expectCode, type FaultHolm } from '../faults/support/fault-holm.ts'
import { runtimes, whyNot } from '../support/runtimes.ts'

const provisioned = process.env['HOLM_TEST_PROVISIONED_ROOTFS']
const rootfs = process.env['HOLM_TEST_ROOTFS'] ?? ''

/** Starting a machine that is emulated, or a database in it, takes its time. */
const slow = { timeout: 600_000 }
const options = { timeoutMs: 580_000 }

/**
 * Changing `--provider` is the only difference. Four come up from a base on which they were provisioned before, and find that
 * nothing is missing; the fifth is provisioned from the distribution's mirror on each runtime, through that runtime's network.
 */
describe.each(runtimes)('$provider', (runtime) => {
  let holm: FaultHolm
  let reason: string | undefined
  beforeAll(async () => {
    holm = createFaultHolm()
    reason = await whyNot(holm, runtime)
  })
  afterAll(() => holm.dispose())

  test.for(['python-dev', 'node-dev', 'go-dev', 'postgres-dev'])(
    '%s comes up from a provisioned base, and its check passes',
    slow,
    async (blueprint, ctx) => {
      const missing = reason ?? (provisioned === undefined ? 'no provisioned root filesystem' : undefined)
      if (missing !== undefined) return ctx.skip(missing)
      await bringUp(holm, { blueprint, provider: runtime.provider, base: provisioned ?? '' })
    },
  )

  test('debian-stable is provisioned from the mirror, and its check passes', slow, async (ctx) => {
    if (reason !== undefined) return ctx.skip(reason)
    if (process.env['HOLM_TEST_NO_MIRROR'] !== undefined) return ctx.skip('no package mirror answers')
    await bringUp(holm, { blueprint: 'debian-stable', provider: runtime.provider, base: rootfs })
  })
})

async function bringUp(
  holm: FaultHolm,
  {
    blueprint,
    provider,
    base,
  }: { readonly blueprint: string; readonly provider: string; readonly base: string },
): Promise<void> {
  await expectCode(holm, ['up', blueprint, '--provider', provider, '--base', base], { exit: 0, ...options })
  const { stdout } = await expectCode(holm, ['blueprint', 'show', blueprint, '--json'], 0)
  const { check } = (JSON.parse(stdout) as { blueprint: Blueprint }).blueprint
  const argv = typeof check === 'string' ? ['sh', '-c', check] : [...(check ?? [])]
  expect(argv.length).toBeGreaterThan(0)
  await expectCode(holm, ['exec', blueprint, '--', ...argv], { exit: 0, ...options })
  await expectCode(holm, ['destroy', blueprint, '--yes', '--volumes'], { exit: 0, ...options })
}
