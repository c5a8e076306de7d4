import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError } from '@holm/core'
import { isMissing } from './files-on-disk.ts'
import { identifySelf, isAlive, type ProcessIdentity } from './processes.ts'

export function notFound(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `no environment "${name}" in qemu`, {
    hint: 'Run `holm list` to see what there is.',
  })
}

export interface LockOptions {
  /** What is locked, for the error. */
  readonly name: string
  /** How long another holm is waited for. Default: not at all. */
  readonly waitMs?: number
}

/**
 * Runs `action` while no other holm process does the like in this folder. HOLM_ENVIRONMENT_BUSY when one does; what a
 * killed process locked is taken over.
 */
export async function withLock<T>(
  folder: string,
  options: LockOptions,
  action: () => Promise<T>,
): Promise<T> {
  const file = path.join(folder, 'lock')
  await takeLock(file, options)
  try {
    return await action()
  } finally {
    await rm(file, { force: true })
  }
}

/** Whether a living process holds the folder's lock. */
export async function isLocked(folder: string): Promise<boolean> {
  const text = await readFile(path.join(folder, 'lock'), 'utf8').catch(() => undefined)
  return text !== undefined && isAlive(JSON.parse(text) as ProcessIdentity)
}

async function takeLock(file: string, { name, waitMs = 0 }: LockOptions): Promise<void> {
  const until = Date.now() + waitMs
  const draft = `${file}-${randomBytes(4).toString('hex')}`
  try {
    await writeFile(draft, JSON.stringify(identifySelf()), { mode: 0o600 })
  } catch (error) {
    if (isMissing(error)) throw notFound(name)
    throw error
  }
  try {
    // A link appears with its content in it, or not at all.
    while (!(await linked(draft, file))) {
      if (await clearStale(file)) continue
      if (Date.now() >= until) throw busy(name)
      await sleep(20)
    }
  } finally {
    await rm(draft, { force: true })
  }
}

export function busy(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on ${name}`, {
    hint: 'Wait until it has finished, then try again.',
  })
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

/** True when the lock is free now, as far as can be seen. */
async function clearStale(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return true
  if (isAlive(JSON.parse(text) as ProcessIdentity)) return false
  const away = `${file}-stale-${randomBytes(4).toString('hex')}`
  await rename(file, away).catch(() => undefined)
  // Between reading and renaming another process may have taken over: give it back.
  const taken = await readFile(away, 'utf8').catch(() => undefined)
  if (taken !== undefined && taken !== text) await link(away, file).catch(() => undefined)
  await rm(away, { force: true })
  return true
}
