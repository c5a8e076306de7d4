import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { Session } from './session.ts'

/**
 * Runs `action` while no other holm changes the instance. HOLM_ENVIRONMENT_BUSY when one does. limactl itself looks
 * whether a name is free and then makes it: two at once would both go on. The lock of a dead process is taken over.
 */
export async function withLock<T>(session: Session, name: string, action: () => Promise<T>): Promise<T> {
  const file = lockFile(session, name)
  const own = JSON.stringify({ ...identify(process.pid), token: randomBytes(8).toString('hex') })
  await takeLock({ file, own, name })
  try {
    return await action()
  } finally {
    await rm(file, { force: true })
  }
}

/** Whether a living process works on the environment. */
export async function isLocked(session: Session, name: string): Promise<boolean> {
  const text = await readHolder(lockFile(session, name))
  return text !== undefined && isHeld(text)
}

function lockFile(session: Session, name: string): string {
  return session.ownFile(`${session.instance(name)}.lock`)
}

interface Take {
  readonly file: string
  readonly own: string
  readonly name: string
}

async function takeLock({ file, own, name }: Take): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  while (!(await tryTake(file, own))) await clearStale(file, name)
}

/** A link leads nowhere and names its holder: it appears with its content, in one step, and a kill leaves nothing half made beside it. */
async function tryTake(file: string, own: string): Promise<boolean> {
  try {
    await symlink(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function clearStale(file: string, name: string): Promise<void> {
  const text = await readHolder(file)
  if (text === undefined) return
  if (isHeld(text)) {
    throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on environment ${name}`, {
      hint: 'Wait until it has finished, then try again.',
    })
  }
  const away = `${file}-stale-${randomBytes(6).toString('hex')}`
  await rename(file, away).catch(() => undefined)
  const taken = await readHolder(away)
  // Between reading and renaming another process may have taken over: give it back.
  if (taken !== undefined && taken !== text) await symlink(taken, file).catch(() => undefined)
  await rm(away, { force: true })
}

/** Undefined when nobody holds it; empty when it is no lock of this kind. */
async function readHolder(file: string): Promise<string | undefined> {
  try {
    return await readlink(file)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EINVAL' ? '' : undefined
  }
}

function isHeld(text: string): boolean {
  try {
    const { pid, start } = JSON.parse(text) as { pid: number; start: string }
    return isAlive(pid) && identify(pid).start === start
  } catch {
    return false
  }
}

/** Whether a process of this number lives, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** With the time of its start where the system tells (Linux), so that a recycled number is not mistaken for it. */
function identify(pid: number): { pid: number; start: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return { pid, start: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '' }
  } catch {
    return { pid, start: '' }
  }
}
