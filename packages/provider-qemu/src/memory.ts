import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { withQmp, type Qmp } from './qmp.ts'

const memoryDeadlineMs = 300_000

/** The name has no character that a shell knows, and QEMU is in the environment's folder. */
export async function writeMemory(
  qmp: Qmp,
  file: string,
  ctx: Pick<ProviderContext, 'signal'>,
): Promise<void> {
  await qmp.run('migrate-set-parameters', { 'max-bandwidth': 64 * 1024 ** 3 })
  await qmp.run('migrate', { uri: `exec:cat > ${file}` })
  const until = Date.now() + memoryDeadlineMs
  for (;;) {
    const { status, 'error-desc': why } = await qmp.run<{ status?: string; 'error-desc'?: string }>(
      'query-migrate',
    )
    if (status === 'completed') return
    if (status === 'failed')
      throw new HolmError(
        'HOLM_ENVIRONMENT_FAILED',
        `QEMU could not save the memory: ${why ?? 'it does not say why'}`,
      )
    if (ctx.signal.aborted) await qmp.run('migrate_cancel')
    assertNotAborted(ctx.signal)
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `the memory was not saved in ${memoryDeadlineMs / 1000} s`)
    await sleep(10)
  }
}

const incomingDeadlineMs = 120_000

export async function waitForMemory(
  folder: string,
  ended: () => boolean,
  ctx: Pick<ProviderContext, 'signal'>,
): Promise<void> {
  const until = Date.now() + incomingDeadlineMs
  while (!ended()) {
    assertNotAborted(ctx.signal)
    const done = await withQmp(folder, (qmp) => waitForStatus(qmp, until)).catch((error: unknown) => {
      // The socket is not there in the first milliseconds.
      if (Date.now() > until) throw error
      return false
    })
    if (done) return
    await sleep(5)
  }
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', 'the machine ended while its memory was read')
}

async function waitForStatus(qmp: Qmp, until: number): Promise<boolean> {
  for (;;) {
    const { status } = await qmp.run<{ status: string }>('query-status')
    if (status !== 'inmigrate') {
      if (status !== 'running') await qmp.run('cont')
      return true
    }
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `the memory was not read in ${incomingDeadlineMs / 1000} s`)
    await sleep(5)
  }
}
