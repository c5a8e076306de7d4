import { stat } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { SnapshotInfo } from '@holm/core'
import { diskFile } from './disks.ts'
import { saveRecord, type QemuRecord, type SnapshotEntry } from './record.ts'
import type { Session } from './session.ts'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

/** HOLM_NAME_INVALID or HOLM_ENVIRONMENT_CONFLICT. */
export function assertFree(record: QemuRecord, snapshot: string): void {
  if (!namePattern.test(snapshot))
    throw new HolmError('HOLM_NAME_INVALID', `"${snapshot}" is no name of a snapshot`, {
      hint: 'Use letters, digits, dots, underscores and hyphens.',
    })
  if (record.snapshots.some(({ name }) => name === snapshot))
    throw new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `environment ${record.name} has a snapshot ${snapshot}`,
      {
        hint: 'Choose another name, or remove that one.',
      },
    )
}

export async function infoOf(
  session: Session,
  record: QemuRecord,
  entry: SnapshotEntry,
): Promise<SnapshotInfo> {
  const files = [
    diskFile(session.layout, entry.disk),
    ...(entry.memory ? [path.join(session.folder(record.name), entry.memory.file)] : []),
  ]
  const sizes = await Promise.all(files.map((file) => stat(file).catch(() => undefined)))
  return {
    name: entry.name,
    environment: record.name,
    createdAt: entry.createdAt,
    sizeBytes: sizes.reduce((sum, each) => sum + (each?.blocks ?? 0) * 512, 0),
    includesMemory: entry.memory !== undefined,
  }
}

/** Adds the snapshot to the record. */
export async function addSnapshot(
  session: Session,
  record: QemuRecord,
  entry: SnapshotEntry,
): Promise<SnapshotInfo> {
  const next: QemuRecord = { ...record, snapshots: [...record.snapshots, entry] }
  await saveRecord(session.folder(record.name), next)
  return infoOf(session, next, entry)
}
