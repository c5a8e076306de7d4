import type { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { HolmError, isHolmError } from '../../errors.ts'
import { currentProcess, isAlive } from './process-identity.ts'

export interface LockHolder {
  readonly pid: number
  readonly operation: string
  readonly since: string
}

export interface Locks {
  /** The living process that works on the environment, if any. */
  holder(name: string): LockHolder | undefined
  /**
   * Runs `work` while no other holm changes the environment. A living other holder is HOLM_ENVIRONMENT_BUSY at once:
   * the caller decides whether to wait. The lock of a process that is gone is taken over.
   */
  hold<T>(name: string, operation: string, work: () => Promise<T>): Promise<T>
  /** The same, waiting up to 30 s for another holder: for work that takes milliseconds. */
  holdWaiting<T>(name: string, operation: string, work: () => Promise<T>): Promise<T>
}

export function createLocks(database: DatabaseSync, namespace: string): Locks {
  const keyOf = (name: string): string => `${namespace}/${name}`
  // One process may run several operations at once (SDK): its own locks count as held, too.
  const hold: Locks['hold'] = async (name, operation, work) => {
    acquire(database, keyOf(name), { name, operation })
    try {
      return await work()
    } finally {
      database.prepare('DELETE FROM locks WHERE key = ? AND pid = ?').run(keyOf(name), process.pid)
    }
  }
  const holdWaiting: Locks['holdWaiting'] = async (name, operation, work) => {
    const deadline = Date.now() + patienceMs
    while (livingHolder(database, keyOf(name)) && Date.now() < deadline) await setTimeout(pollMs)
    try {
      return await hold(name, operation, work)
    } catch (error) {
      // Somebody was quicker between the look and the grasp.
      if (
        !isHolmError(error, 'HOLM_ENVIRONMENT_BUSY') ||
        error.details?.['name'] !== name ||
        Date.now() >= deadline
      )
        throw error
      return holdWaiting(name, operation, work)
    }
  }
  return { holder: (name) => livingHolder(database, keyOf(name)), hold, holdWaiting }
}

const patienceMs = 30_000
const pollMs = 10

function acquire(database: DatabaseSync, key: string, wanted: { name: string; operation: string }): void {
  const self = currentProcess()
  database.exec('BEGIN IMMEDIATE')
  try {
    const holder = livingHolder(database, key)
    if (holder) throw busy(wanted.name, holder)
    database
      .prepare('INSERT OR REPLACE INTO locks (key, pid, started_at, operation, since) VALUES (?, ?, ?, ?, ?)')
      .run(key, self.pid, self.startedAt, wanted.operation, new Date().toISOString())
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

function livingHolder(database: DatabaseSync, key: string): LockHolder | undefined {
  const row = database.prepare('SELECT * FROM locks WHERE key = ?').get(key)
  if (row === undefined) return undefined
  const pid = Number(row['pid'])
  if (!isAlive({ pid, startedAt: String(row['started_at']) })) return undefined
  return { pid, operation: String(row['operation']), since: String(row['since']) }
}

/** What plugins hold is named in two words: workspace fix. */
function subjectOf(name: string): string {
  return name.includes(' ') ? name : `environment ${name}`
}

function busy(name: string, holder: LockHolder): HolmError {
  return new HolmError(
    'HOLM_ENVIRONMENT_BUSY',
    `${subjectOf(name)} is busy: ${holder.operation} by process ${holder.pid} since ${holder.since}`,
    {
      hint: 'Wait for it to end, or stop that process; an interrupted operation is healed by the next one.',
      details: { name, ...holder },
    },
  )
}
