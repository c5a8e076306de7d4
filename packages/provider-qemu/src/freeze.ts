import { rm } from 'node:fs/promises'
import type { ProviderContext } from '@holm/core'
import { askAgent } from './agent.ts'
import { createDisk, diskFile, newDiskId } from './disks.ts'
import type { Qmp } from './qmp.ts'
import { withQmp } from './qmp.ts'
import { saveRecord, type QemuRecord } from './record.ts'
import { agentOf, type Session } from './session.ts'
import { isRunning } from './state.ts'

export interface Frozen {
  readonly record: QemuRecord
  /** Id of the disk that nothing writes to any more. */
  readonly disk: string
}

/**
 * Freezes the environment's disk: from now on it writes to a new one over it. Call it with the environment's lock held.
 * The record names the new disk before QEMU uses it: an empty disk over another reads like that one, so a holm that is killed
 * between the two steps has broken nothing.
 */
export async function freezeDisk(
  session: Session,
  record: QemuRecord,
  ctx: Pick<ProviderContext, 'runner' | 'signal'>,
): Promise<Frozen> {
  const { untouchedOver } = record
  if (untouchedOver !== undefined) return { record, disk: untouchedOver }
  const next = await layDisk(session, record, ctx)
  if (!isRunning(next)) {
    const untouched = { ...next, untouchedOver: record.disk }
    await saveRecord(session.folder(record.name), untouched)
    return { record: untouched, disk: record.disk }
  }
  if (next.machine.paused === undefined) await askAgent(agentOf(next), 'sync', { timeoutMs: 60_000 })
  await withQmp(session.folder(record.name), (qmp) =>
    switchDisk(qmp, diskFile(session.layout, next.disk), next.disk),
  )
  return { record: next, disk: record.disk }
}

/** Makes an empty disk over the environment's own and names it in the record. */
export async function layDisk(
  session: Session,
  record: QemuRecord,
  ctx: Pick<ProviderContext, 'runner' | 'signal'>,
): Promise<QemuRecord> {
  const disk = newDiskId()
  const file = diskFile(session.layout, disk)
  const backing = { file: diskFile(session.layout, record.disk), format: 'qcow2' as const }
  try {
    await createDisk(file, { backing, env: session.toolEnv }, ctx)
  } catch (error) {
    await rm(file, { force: true })
    throw error
  }
  const { untouchedOver: _over, ...rest } = record
  const next: QemuRecord = { ...rest, disk }
  await saveRecord(session.folder(record.name), next)
  return next
}

interface BlockDevice {
  readonly qdev?: string
  readonly inserted?: { readonly 'node-name'?: string }
}

/** Lets a running machine write to another disk, which lies over the one it writes to now. */
export async function switchDisk(qmp: Qmp, file: string, id: string): Promise<void> {
  const devices = await qmp.run<readonly BlockDevice[]>('query-block')
  const node = devices.find(({ qdev }) => /\/root(?:\/|$)/.test(qdev ?? ''))?.inserted?.['node-name']
  await qmp.run('blockdev-snapshot-sync', {
    'node-name': node ?? 'disk',
    'snapshot-file': file,
    'snapshot-node-name': `disk-${id}`,
    format: 'qcow2',
    mode: 'existing',
  })
}
