import { randomBytes } from 'node:crypto'
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import { isMissing } from './files-on-disk.ts'
import { identifySelf, isAlive, type ProcessIdentity } from './processes.ts'

export interface LockOptions {
  readonly file: string
  /** What is locked, for people. */
  readonly what: string
  /** How long to wait for another holder; 0: not at all. */
  readonly waitMs: number
  readonly signal?: AbortSignal
}

/**
 * Runs `action` while no other holm process, and nothing else in this one, holds the lock. HOLM_ENVIRONMENT_BUSY when somebody does for
 * longer than `waitMs`. What a killed process locked is taken over.
 */
export async function withLock<T>(options: LockOptions, action: () => Promise<T>): Promise<T> {
  const { file, what, waitMs, signal } = options
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const until = Date.now() + waitMs
  while (!tryTake(file)) {
    if (clearStale(file)) continue
    if (signal) assertNotAborted(signal)
    if (Date.now() >= until) throw busy(what)
    await sleep(3)
  }
  try {
    return await action()
  } finally {
    rmSync(file, { force: true })
  }
}

/** A link leads nowhere and names its holder: it appears with its content, in one step, and a kill leaves nothing half made beside it. */
function tryTake(file: string): boolean {
  try {
    symlinkSync(JSON.stringify(identifySelf()), file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** True when the lock is free now, or may be. */
function clearStale(file: string): boolean {
  const holder = readHolder(file)
  if (holder === undefined) return true
  if (holder !== '' && isAlive(JSON.parse(holder) as ProcessIdentity)) return false
  const away = `${file}-stale-${randomBytes(6).toString('hex')}`
  try {
    renameSync(file, away)
    // Between reading and renaming somebody else may have taken it over: give it back.
    const taken = readHolder(away)
    if (taken !== undefined && taken !== holder) symlinkSync(taken, file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error
  } finally {
    rmSync(away, { force: true })
  }
  return true
}

/** Undefined when nobody holds it; empty when it is no lock of this kind. */
function readHolder(file: string): string | undefined {
  try {
    return readlinkSync(file)
  } catch (error) {
    if (isMissing(error)) return undefined
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return ''
    throw error
  }
}

function busy(what: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on ${what}`, {
    hint: 'Wait until it has finished, then try again.',
  })
}
