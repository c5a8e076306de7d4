import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '../errors.ts'
import { createFolder, unreadableError } from './config/folders.ts'

const patienceMs = 120_000

export interface LockOptions {
  readonly dataFolder: string
  readonly signal?: AbortSignal | undefined
  readonly patienceMs?: number
}

interface FileLockOptions extends LockOptions {
  /** In the data folder. */
  readonly file: string
  /** What is changed: "plugins". */
  readonly what: string
}

/** Runs `work` while no other holm changes the plugins. */
export function withPluginsLock<Result>(options: LockOptions, work: () => Promise<Result>): Promise<Result> {
  return withFileLock({ ...options, file: 'plugins.lock', what: 'plugins' }, work)
}

/**
 * Runs `work` while no other holm does what the file stands for. The lock is a transaction on an empty SQLite file: the system drops it with
 * the process that holds it, however that ends.
 */
export async function withFileLock<Result>(
  options: FileLockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const path = join(createFolder(options.dataFolder), options.file)
  try {
    return await holdLock(path, options, work)
  } catch (error) {
    throw isSystemError(error) ? unreadableError(options.dataFolder, error) : error
  }
}

async function holdLock<Result>(
  path: string,
  options: FileLockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  const { DatabaseSync } = createRequire(import.meta.url)('node:sqlite') as typeof import('node:sqlite')
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    await acquire(database, options)
    return await work()
  } finally {
    database.close()
  }
}

/** Of the file system or SQLite, not of holm: no access, read-only, disk full. */
function isSystemError(error: unknown): boolean {
  if (isHolmError(error) || !(error instanceof Error)) return false
  return 'syscall' in error || 'errcode' in error
}

async function acquire(
  database: { exec(sql: string): void },
  { signal, what, patienceMs: patience = patienceMs }: FileLockOptions,
): Promise<void> {
  const deadline = performance.now() + patience
  while (!tryLock(database)) {
    if (signal) assertNotAborted(signal)
    if (performance.now() > deadline) {
      throw new HolmError(
        'HOLM_TIMEOUT',
        `waited ${patience / 1000} s for another holm that changes ${what}`,
        {
          hint: 'Try again when the other one has ended.',
        },
      )
    }
    await delay(50)
  }
}

const sqliteBusy = 5

function tryLock(database: { exec(sql: string): void }): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return false
    throw error
  }
}
