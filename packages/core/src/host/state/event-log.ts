import type { DatabaseSync } from 'node:sqlite'
import type { HolmEvent, StoredEvent } from '../../events.ts'

export interface EventLog {
  /** Keeps the event if it is one that is stored; drops the oldest beyond the limit now and then. */
  append(event: HolmEvent): void
  list(options: { readonly environment?: string; readonly limit?: number }): StoredEvent[]
}

const kept = 10_000
const storedTypes: ReadonlySet<HolmEvent['type']> = new Set([
  'step-done',
  'step-failed',
  'access',
  'state',
  'warning',
])

export function createEventLog(database: DatabaseSync): EventLog {
  return {
    append: (event) => {
      if (!storedTypes.has(event.type)) return
      const { lastInsertRowid } = database
        .prepare('INSERT INTO events (at, environment, event) VALUES (?, ?, ?)')
        .run(new Date().toISOString(), event.environment ?? null, JSON.stringify(event))
      const id = Number(lastInsertRowid)
      if (id % 500 === 0) database.prepare('DELETE FROM events WHERE id <= ?').run(id - kept)
    },
    list: ({ environment, limit = 100 }) => listEvents(database, environment, limit),
  }
}

function listEvents(database: DatabaseSync, environment: string | undefined, limit: number): StoredEvent[] {
  const rows =
    environment === undefined
      ? database.prepare('SELECT * FROM events ORDER BY id DESC LIMIT ?').all(limit)
      : database
          .prepare('SELECT * FROM events WHERE environment = ? ORDER BY id DESC LIMIT ?')
          .all(environment, limit)
  return rows
    .map((row) => ({
      id: Number(row['id']),
      at: String(row['at']),
      event: JSON.parse(String(row['event'])) as HolmEvent,
    }))
    .toReversed()
}
