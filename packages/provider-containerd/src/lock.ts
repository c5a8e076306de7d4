import { randomBytes } from 'node:crypto'
import { mkdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HolmError, abortError } from '@holm/core'

export interface LockRequest {
  /** The file that is the lock; its folder is made. */
  readonly file: string
  /** What is waited for, for the error. */
  readonly what: string
  readonly signal: AbortSignal
  /** Absent: 30 s. */
  readonly timeoutMs?: number
}

/** Calls of this process that wait for each other, by lock file: the file tells processes apart, not calls. */
const queues = new Map<string, Promise<unknown>>()

/**
 * Runs `work` while no other call and no other holm process holds the lock. HOLM_ENVIRONMENT_BUSY when it is not free in time;
 * what a killed process locked is taken over.
 */
export async function withLock<T>(request: LockRequest, work: () => Promise<T>): Promise<T> {
  const before = queues.get(request.file) ?? Promise.resolve()
  const turn = before.then(() => locked(request, work))
  const settled = turn.catch(() => {})
  queues.set(request.file, settled)
  try {
    return await turn
  } finally {
    if (queues.get(request.file) === settled) queues.delete(request.file)
  }
}

/** Whether a call of this process holds the lock, or waits for it. */
export function isAwaited(file: string): boolean {
  return queues.has(file)
}

async function locked<T>(request: LockRequest, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(request.file), { recursive: true })
  await take(request)
  try {
    return await work()
  } finally {
    await rm(request.file, { force: true })
  }
}

async function take({ file, what, signal, timeoutMs = 30_000 }: LockRequest): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (let delay = 5; ; delay = Math.min(delay * 2, 100)) {
    if (await tryTake(file)) return
    if (await clearStale(file)) continue
    if (signal.aborted) throw abortError(signal)
    if (performance.now() > deadline) {
      throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on ${what}`, {
        hint: 'Wait until it has finished, then try again.',
      })
    }
    await wait(delay)
  }
}

/** A link leads nowhere and names its holder: it appears with its content, in one step, and a kill leaves nothing half made beside it. */
async function tryTake(file: string): Promise<boolean> {
  try {
    await symlink(identity(process.pid) ?? 'unknown', file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** True when the lock was a dead process's, and is gone now. */
async function clearStale(file: string): Promise<boolean> {
  const holder = await readHolder(file)
  if (holder === undefined) return true
  if (identity(Number(holder.split(' ')[0])) === holder) return false
  const away = `${file}-stale-${randomBytes(4).toString('hex')}`
  await rename(file, away).catch(() => {})
  // Between reading and renaming another process may have taken over: give it back.
  const taken = await readHolder(away)
  if (taken !== undefined && taken !== holder) await symlink(taken, file).catch(() => {})
  await rm(away, { force: true })
  return true
}

/** Undefined when nobody holds it; empty when it is no lock of this kind. */
async function readHolder(file: string): Promise<string | undefined> {
  try {
    return await readlink(file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'EINVAL') return ''
    throw error
  }
}

/** A process id and its start time: ids are used again. Undefined when there is no such process. */
function identity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`
  } catch {
    return undefined
  }
}
