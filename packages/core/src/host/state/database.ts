import { closeSync, existsSync, mkdirSync, openSync, renameSync, statfsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { HolmError } from '../../errors.ts'

export interface OpenedDatabase {
  readonly database: DatabaseSync
  /** True when there was none, or a damaged one was set aside: records are to be rebuilt from the runtimes. */
  readonly fresh: boolean
  /** Where a damaged file was moved. */
  readonly backup: string | undefined
}

const schemaVersion = 2

const schema = `
  CREATE TABLE IF NOT EXISTS environments (
    namespace TEXT NOT NULL, name TEXT NOT NULL, provider TEXT NOT NULL, phase TEXT NOT NULL,
    project TEXT NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL, record TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (namespace, name)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS environments_project ON environments (namespace, project);
  CREATE TABLE IF NOT EXISTS locks (
    key TEXT PRIMARY KEY, pid INTEGER NOT NULL, started_at TEXT NOT NULL, operation TEXT NOT NULL, since TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, environment TEXT, event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS events_environment ON events (environment, id);
  CREATE TABLE IF NOT EXISTS items (
    namespace TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, item TEXT NOT NULL, updated_at TEXT NOT NULL,
    PRIMARY KEY (namespace, kind, key)
  ) STRICT;
`

/**
 * Opens the state file, or makes it (0600). Many holm processes may use it at once: WAL, and 10 s of patience for a writer.
 * A `suspect` one is looked through, which takes time: an ordinary open notices damage of the first page only.
 */
export function openDatabase(path: string, { suspect = false } = {}): OpenedDatabase {
  const existed = existsSync(path)
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const database = openPatiently(path)
    if (!suspect || damageOf(database) === undefined) return { database, fresh: !existed, backup: undefined }
    database.close()
  } catch (error) {
    if (!isDamaged(error)) throw unreadable(path, error)
  }
  const backup = setAside(path)
  return { database: openPatiently(path), fresh: true, backup }
}

/** Looks through the whole file; a sentence about the damage, or undefined. */
export function damageOf(database: DatabaseSync): string | undefined {
  try {
    const result = String(database.prepare('PRAGMA quick_check').get()?.['quick_check'])
    return result === 'ok' ? undefined : result
  } catch (error) {
    if (isDamaged(error)) return (error as Error).message
    throw error
  }
}

const patienceMs = 10_000

/** SQLite's own patience does not cover the change to WAL, for which several holms that start at once compete. */
function openPatiently(path: string): DatabaseSync {
  const deadline = Date.now() + patienceMs
  for (;;) {
    try {
      return openAt(path)
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5 + Math.random() * 20)
    }
  }
}

/** SQLITE_BUSY */
function isBusy(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === 5
}

function openAt(path: string): DatabaseSync {
  // Required, not imported: the module is loaded only by commands that have state to look at.
  const { DatabaseSync: Database } = createRequire(import.meta.url)(
    'node:sqlite',
  ) as typeof import('node:sqlite')
  // Made by us, so that nobody else can read it even for a moment.
  closeSync(openSync(path, 'a', 0o600))
  const database = new Database(path, { timeout: patienceMs })
  try {
    migrate(database)
    // Of the connection, not of the file: SQLite's own default waits for the disk at every write.
    database.exec('PRAGMA synchronous = NORMAL')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function migrate(database: DatabaseSync): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
  if (version === schemaVersion) return
  if (version > schemaVersion) {
    throw new HolmError(
      'HOLM_CONFIG_UNREADABLE',
      `the state file has version ${version}, this holm knows ${schemaVersion}`,
      {
        hint: 'Use the newer holm that wrote it, or set HOLM_HOME to another folder.',
      },
    )
  }
  database.exec('PRAGMA journal_mode = WAL')
  database.exec(schema)
  database.exec(`PRAGMA user_version = ${schemaVersion}`)
}

/** SQLITE_CORRUPT (11) and SQLITE_NOTADB (26), https://www.sqlite.org/rescode.html */
export function isDamaged(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode
  return code !== undefined && [11, 26].includes(code & 0xff)
}

function setAside(path: string): string {
  const backup = `${path}.damaged-${new Date().toISOString().replace(/[:.]/g, '-')}`
  renameSync(path, backup)
  for (const suffix of ['-wal', '-shm'])
    if (existsSync(path + suffix)) renameSync(path + suffix, backup + suffix)
  return backup
}

function unreadable(path: string, error: unknown): HolmError {
  if (error instanceof HolmError) return error
  const code = (error as { errcode?: number; code?: string }).errcode
  // SQLITE_FULL; a full tmpfs shows as SQLITE_IOERR.
  const full = code === 13 || (code !== undefined && (code & 0xff) === 10 && isFull(dirname(path)))
  if (full || (error as NodeJS.ErrnoException).code === 'ENOSPC') {
    return new HolmError('HOLM_DISK_FULL', `no space left for the state file ${path}`, {
      hint: 'Free some space and try again.',
      cause: error,
    })
  }
  return new HolmError(
    'HOLM_CONFIG_UNREADABLE',
    `cannot open the state file ${path}: ${(error as Error).message}`,
    {
      hint: 'Make its folder writable, or set HOLM_HOME to a folder that is.',
      cause: error,
    },
  )
}

/** Too little is left for the few pages of a new database. */
function isFull(folder: string): boolean {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize < 4096 * 8
}
