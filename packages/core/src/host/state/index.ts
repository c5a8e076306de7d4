import { damageOf, openDatabase } from './database.ts'
import { createEventLog, type EventLog } from './event-log.ts'
import type { ImageRecord, RestoreJournal, SnapshotRecord } from './copies.ts'
import type { LeaseRecord } from '../ports/leases.ts'
import { createItems, type Items } from './items.ts'
import { createLocks, type Locks } from './locks.ts'
import { createRecords, type Records } from './records.ts'

export { isDamaged } from './database.ts'
export type { ImageRecord, RestoreJournal, SavedMount, SnapshotRecord, Swap } from './copies.ts'
export type { EnvironmentRecord, RecordDetails } from './records.ts'

export interface State {
  readonly records: Records
  readonly locks: Locks
  readonly events: EventLog
  readonly images: Items<ImageRecord>
  readonly snapshots: Items<SnapshotRecord>
  readonly journals: Items<RestoreJournal>
  /** Ports of running programs; key: the port. */
  readonly leases: Items<LeaseRecord>
  /** Documents of a plugin's own. */
  readonly itemsOf: <T>(kind: string) => Items<T>
  readonly fresh: boolean
  readonly backup: string | undefined
  /** Looks through the whole file; a sentence about the damage, or undefined. */
  verify(): string | undefined
  close(): void
}

/** The state of one namespace in one file; a `suspect` file is looked through first. */
export function openState(path: string, namespace: string, options: { suspect?: boolean } = {}): State {
  const opened = openDatabase(path, options)
  const { database } = opened
  return {
    records: createRecords(database, namespace),
    locks: createLocks(database, namespace),
    events: createEventLog(database),
    images: createItems(database, namespace, 'image'),
    snapshots: createItems(database, namespace, 'snapshot'),
    journals: createItems(database, namespace, 'journal'),
    leases: createItems(database, namespace, 'port-lease'),
    itemsOf: (kind) => createItems(database, namespace, kind),
    fresh: opened.fresh,
    backup: opened.backup,
    verify: () => damageOf(database),
    close: () => database.close(),
  }
}
