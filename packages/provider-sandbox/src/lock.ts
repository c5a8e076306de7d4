import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import { isMissing } from './folders.ts'
import { identify, isAlive, type ProcessIdentity } from './processes.ts'

/** This process, as others recognise it. */
export function identifySelf(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, start: '', bootId: '' }
}

/**
 * Runs `action` while no other holm process changes the environment. HOLM_ENVIRONMENT_BUSY when one does; what a killed
 * process locked is taken over.
 */
export async function withLock<T>(folder: string, name: string, action: () => Promise<T>): Promise<T> {
  const file = path.join(folder, 'lock')
  await takeLock(file, name)
  try {
    return await action()
  } finally {
    await rm(file, { force: true })
  }
}

const patienceMs = 60_000

/** As `withLock`, but another process is waited for: for what takes moments and is done by many at once. */
export async function withPatientLock<T>(
  { folder, name, signal }: { readonly folder: string; readonly name: string; readonly signal: AbortSignal },
  action: () => Promise<T>,
): Promise<T> {
  const until = Date.now() + patienceMs
  const file = path.join(folder, 'lock')
  while (!(await tryLock(file, name, Date.now() > until))) {
    assertNotAborted(signal)
    await sleep(10)
  }
  try {
    return await action()
  } finally {
    await rm(file, { force: true })
  }
}

/** False while another process has it, unless this was the last try. */
async function tryLock(file: string, name: string, last: boolean): Promise<boolean> {
  return takeLock(file, name).then(
    () => true,
    (error: unknown) => {
      if (!last && isHolmError(error, 'HOLM_ENVIRONMENT_BUSY')) return false
      throw error
    },
  )
}

async function takeLock(file: string, name: string): Promise<void> {
  const draft = `${file}-${randomBytes(4).toString('hex')}`
  try {
    await writeFile(draft, JSON.stringify(identifySelf()), { mode: 0o600 })
  } catch (error) {
    if (isMissing(error)) throw notFound(name)
    throw error
  }
  try {
    // A link appears with its content in it, or not at all.
    while (!(await linked(draft, file))) await clearStale(file, name)
  } finally {
    await rm(draft, { force: true })
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

async function clearStale(file: string, name: string): Promise<void> {
  const away = `${file}-stale-${randomBytes(4).toString('hex')}`
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return
  if (isAlive(JSON.parse(text) as ProcessIdentity)) {
    throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on environment ${name}`, {
      hint: 'Wait until it has finished, then try again.',
    })
  }
  await rename(file, away).catch(() => undefined)
  // Between reading and renaming another process may have taken over: give it back.
  const taken = await readFile(away, 'utf8').catch(() => undefined)
  if (taken !== undefined && taken !== text) await link(away, file).catch(() => undefined)
  await rm(away, { force: true })
}

export function notFound(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `no environment "${name}" in the sandbox`, {
    hint: 'Run `holm list` to see what there is.',
  })
}
