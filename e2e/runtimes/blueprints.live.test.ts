import { afterAll, beforeAll, describe, test } from 'vitest'
import { createFaultHolm, expectCode, type FaultHolm } from '../faults/support/fault-holm.ts'
import { runtimes, whyNot } from '../support/runtimes.ts'

const rootfs = process.env['HOLM_TEST_ROOTFS'] ?? ''
/** With compilers, interpreters and a database in it. */
const provisioned = process.env['HOLM_TEST_PROVISIONED_ROOTFS']

/** Starting a machine that is emulated, or a database in it, takes its time. */
const slow = { timeout: 600_000 }
const options = { timeoutMs: 580_000 }

/**
 * Changing `--provider` is the only difference. debian-stable is provisioned from the distribution's mirror on each runtime,
 * through that runtime's network; the four large ones come up from a base on which they were provisioned before.
 */
describe.each(runtimes)('$provider', (runtime) => {
  let holm: FaultHolm
  let reason: string | undefined
  beforeAll(async () => {
    holm = createFaultHolm()
    reason = await whyNot(holm, runtime)
  })
  afterAll(() => holm.dispose())

  test('debian-stable comes up, and its check passes', slow, async (ctx) => {
    if (reason !== undefined) ctx.skip(reason)
    await bringUp(holm, { blueprint: 'debian-stable', provider: runtime.provider, base: rootfs })
  })

  test.for(['python-dev', 'node-dev', 'go-dev', 'postgres-dev'])(
    '%s comes up, and its check passes',
    slow,
    async (blueprint, ctx) => {
      const missing =
        provisioned === undefined
          ? 'HOLM_TEST_PROVISIONED_ROOTFS is not set: npm test makes one'
          : whyLeftOut(runtime.provider, blueprint)
      if ((reason ?? missing) !== undefined) ctx.skip(reason ?? missing)
      await bringUp(holm, { blueprint, provider: runtime.provider, base: provisioned ?? '' })
    },
  )
})

/** What takes minutes on a processor that is emulated: a node that compiles, a database that fills its folder. */
function whyLeftOut(provider: string, blueprint: string): string | undefined {
  const isSlow = provider === 'qemu' && ['node-dev', 'postgres-dev'].includes(blueprint)
  return isSlow && process.env['HOLM_TEST_SLOW'] === undefined
    ? 'minutes where the processor is emulated: HOLM_TEST_SLOW=1 npm test runs it'
    : undefined
}

async function bringUp(
  holm: FaultHolm,
  {
    blueprint,
    provider,
    base,
  }: { readonly blueprint: string; readonly provider: string; readonly base: string },
): Promise<void> {
  await expectCode(holm, ['up', blueprint, '--provider', provider, '--base', base], { exit: 0, ...options })
  await expectCode(holm, ['check', blueprint], { exit: 0, ...options })
  await expectCode(holm, ['destroy', blueprint, '--yes', '--volumes'], { exit: 0, ...options })
}
