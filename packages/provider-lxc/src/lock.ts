import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
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
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}-${randomBytes(6).toString('hex')}`
  await writeFile(draft, JSON.stringify(identifySelf()), { mode: 0o600 })
  try {
    const until = Date.now() + waitMs
    // A link appears with its content in it, or not at all.
    while (!(await linked(draft, file))) {
      if (await clearStale(file)) continue
      if (signal) assertNotAborted(signal)
      if (Date.now() >= until) throw busy(what)
      await sleep(3)
    }
  } finally {
    await rm(draft, { force: true })
  }
  try {
    return await action()
  } finally {
    await rm(file, { force: true })
  }
}

async function linked(draft: string, file: string): Promise<boolean> {
  return link(draft, file).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    },
  )
}

/** True when the lock is free now, or may be. */
async function clearStale(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (text === undefined) return true
  if (isAlive(JSON.parse(text) as ProcessIdentity)) return false
  const away = `${file}-stale-${randomBytes(6).toString('hex')}`
  await rename(file, away).catch(() => undefined)
  // Between reading and renaming somebody else may have taken it over: give it back.
  const taken = await readFile(away, 'utf8').catch(() => undefined)
  if (taken !== undefined && taken !== text) await link(away, file).catch(() => undefined)
  await rm(away, { force: true })
  return true
}

function busy(what: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on ${what}`, {
    hint: 'Wait until it has finished, then try again.',
  })
}
