import { readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { withQmp, type Qmp } from './qmp.ts'

const memoryDeadlineMs = 300_000
const closedDeadlineMs = 60_000
const abandonedDeadlineMs = 5000

interface MemoryFile {
  /** The machine's own, in which QEMU runs. */
  readonly folder: string
  /** Its name has no character that a shell knows. */
  readonly file: string
}

/**
 * Writes the memory of a machine that stands still. QEMU says that it is done before the program has ended that takes what it writes:
 * the file gets its last name, with the program's verdict, by that program.
 */
export async function writeMemory(
  qmp: Qmp,
  { folder, file }: MemoryFile,
  ctx: Pick<ProviderContext, 'signal'>,
): Promise<void> {
  await qmp.run('migrate-set-parameters', { 'max-bandwidth': 64 * 1024 ** 3 })
  await qmp.run('migrate', { uri: `exec:cat > ${file}.part; mv ${file}.part ${file}.$?` })
  try {
    await waitForMigration(qmp, ctx)
  } catch (error) {
    await removeLater({ folder, file })
    throw error
  }
  const verdict = await waitForVerdict({ folder, file }, closedDeadlineMs)
  if (verdict === `${file}.0`) return rename(path.join(folder, verdict), path.join(folder, file))
  await removeLater({ folder, file })
  if (verdict === undefined)
    throw new HolmError('HOLM_TIMEOUT', `the memory was not in its file in ${closedDeadlineMs / 1000} s`)
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', 'the memory could not be written to its file', {
    hint: `Check that there is room in ${folder}.`,
  })
}

async function waitForMigration(qmp: Qmp, { signal }: Pick<ProviderContext, 'signal'>): Promise<void> {
  const until = Date.now() + memoryDeadlineMs
  for (;;) {
    const { status, 'error-desc': why } = await qmp.run<{ status?: string; 'error-desc'?: string }>(
      'query-migrate',
    )
    const over = status === 'completed' || status === 'failed' || status === 'cancelled'
    if (over) assertNotAborted(signal)
    if (status === 'completed') return
    if (over)
      throw new HolmError(
        'HOLM_ENVIRONMENT_FAILED',
        `QEMU could not save the memory: ${why ?? 'it does not say why'}`,
      )
    if (signal.aborted) await qmp.run('migrate_cancel')
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `the memory was not saved in ${memoryDeadlineMs / 1000} s`)
    await sleep(10)
  }
}

/** The name that the file has got in the end. */
async function waitForVerdict({ folder, file }: MemoryFile, deadlineMs: number): Promise<string | undefined> {
  const until = Date.now() + deadlineMs
  for (;;) {
    const found = (await listDrafts({ folder, file })).find((name) => !name.endsWith('.part'))
    if (found !== undefined || Date.now() > until) return found
    await sleep(5)
  }
}

/** Its program ends when QEMU lets go of it. */
async function removeLater({ folder, file }: MemoryFile): Promise<void> {
  await waitForVerdict({ folder, file }, abandonedDeadlineMs)
  for (const name of await listDrafts({ folder, file }))
    await rm(path.join(folder, name), { force: true, recursive: true })
}

async function listDrafts({ folder, file }: MemoryFile): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith(`${file}.`))
}

const finalizeDeadlineMs = 60_000

/**
 * Lets a machine go on. QEMU says that a memory is saved, or not, a moment before the machine leaves the state in which it may not
 * go on: until then it refuses.
 */
export async function resumeMachine(qmp: Qmp): Promise<void> {
  const until = Date.now() + finalizeDeadlineMs
  for (;;) {
    try {
      await qmp.run('cont')
      return
    } catch (error) {
      const early = isHolmError(error, 'HOLM_ENVIRONMENT_FAILED') && error.message.includes('not finalized')
      if (!early || Date.now() > until) throw error
    }
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
      if (status !== 'running') await resumeMachine(qmp)
      return true
    }
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `the memory was not read in ${incomingDeadlineMs / 1000} s`)
    await sleep(5)
  }
}
