import { isDamaged, openDatabase, type OpenedDatabase } from './database.ts'
import { createEventLog, type EventLog } from './event-log.ts'
import { createLocks, type Locks } from './locks.ts'
import { createRecords, type Records } from './records.ts'

export type { EnvironmentRecord, RecordDetails } from './records.ts'

export interface State {
  readonly records: Records
  readonly locks: Locks
  readonly events: EventLog
  readonly fresh: boolean
  readonly backup: string | undefined
  /** Looks through the whole file; a sentence about the damage, or undefined. */
  verify(): string | undefined
  close(): void
}

/** The state of one namespace in one file. */
export function openState(path: string, namespace: string): State {
  const opened = openDatabase(path)
  const { database } = opened
  return {
    records: createRecords(database, namespace),
    locks: createLocks(database, namespace),
    events: createEventLog(database),
    fresh: opened.fresh,
    backup: opened.backup,
    verify: () => verify(opened),
    close: () => database.close(),
  }
}

function verify({ database }: OpenedDatabase): string | undefined {
  try {
    const result = String(database.prepare('PRAGMA quick_check').get()?.['quick_check'])
    return result === 'ok' ? undefined : result
  } catch (error) {
    if (isDamaged(error)) return (error as Error).message
    throw error
  }
}
