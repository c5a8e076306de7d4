import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
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
  const text = await readFile(lockFile(session, name), 'utf8').catch(() => undefined)
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
  const draft = `${file}-${randomBytes(6).toString('hex')}`
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(draft, own, { mode: 0o600 })
  try {
    // A link appears with its content in it, or not at all.
    while (!(await tryLink(draft, file))) await clearStale(file, name)
  } finally {
    await rm(draft, { force: true })
  }
}

async function tryLink(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function clearStale(file: string, name: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return
  if (isHeld(text)) {
    throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on environment ${name}`, {
      hint: 'Wait until it has finished, then try again.',
    })
  }
  const away = `${file}-stale-${randomBytes(6).toString('hex')}`
  await rename(file, away).catch(() => undefined)
  const taken = await readFile(away, 'utf8').catch(() => undefined)
  // Between reading and renaming another process may have taken over: give it back.
  if (taken !== undefined && taken !== text) await link(away, file).catch(() => undefined)
  await rm(away, { force: true })
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
