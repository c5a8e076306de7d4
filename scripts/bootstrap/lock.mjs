import { mkdir, mkdtemp, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { say } from './progress.mjs'
import { SetupError } from './run.mjs'

const heartbeatEvery = 5_000
const staleAfter = 60_000
const giveUpAfter = 20 * 60_000

/**
 * Lets one set-up at a time work in a folder. The lock is a folder that appears by rename with its owner's pid already
 * inside, so nobody ever sees a lock without an owner; a dead or silent owner loses it.
 * @template T
 * @param {string} folder
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(folder, work) {
  const lock = join(folder, 'lock')
  await acquire(folder, lock)
  const release = () => rmSync(lock, { recursive: true, force: true })
  const owner = join(lock, 'owner')
  const heartbeat = setInterval(() => touch(owner), heartbeatEvery)
  process.once('exit', release)
  const stopOnSignal = dieOn(['SIGINT', 'SIGTERM', 'SIGHUP'])
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    process.off('exit', release)
    stopOnSignal()
    release()
  }
}

/** @param {string} folder @param {string} lock */
async function acquire(folder, lock) {
  await mkdir(folder, { recursive: true })
  const deadline = Date.now() + giveUpAfter
  let told = false
  while (!(await tryAcquire(folder, lock))) {
    const holder = await readHolder(lock)
    if (holder && !holder.alive) await breakLock(lock, holder.pid)
    else {
      if (!told) say(`setup: waiting for another setup (pid ${holder?.pid ?? 'unknown'}) ...`)
      told = true
      if (Date.now() > deadline)
        throw new SetupError(`another setup still holds ${lock}; end it and try again`)
      await sleep(200)
    }
  }
}

/** @param {string} folder @param {string} lock */
async function tryAcquire(folder, lock) {
  const mine = await mkdtemp(join(folder, 'lock-'))
  await writeFile(join(mine, 'owner'), String(process.pid))
  try {
    await rename(mine, lock)
    return true
  } catch {
    await rm(mine, { recursive: true, force: true })
    return false
  }
}

/** @param {string} lock */
async function readHolder(lock) {
  try {
    const owner = join(lock, 'owner')
    const pid = Number(await readFile(owner, 'utf8'))
    const { mtimeMs } = await stat(owner)
    return { pid, alive: isRunning(pid) && Date.now() - mtimeMs < staleAfter }
  } catch {
    return undefined
  }
}

/** Moves the lock away first: if it has changed hands meanwhile, the new owner gets it back. @param {string} lock @param {number} pid */
async function breakLock(lock, pid) {
  const aside = `${lock}-stale-${process.pid}`
  try {
    await rename(lock, aside)
    const moved = await readHolder(aside)
    if (moved && moved.pid !== pid) await rename(aside, lock)
  } catch {
    // Somebody else was quicker.
  }
  await rm(aside, { recursive: true, force: true })
}

/** @param {number} pid */
export function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** @param {string} file */
function touch(file) {
  const now = new Date()
  utimes(file, now, now).catch(() => {})
}

/** Ends the process through `process.exit`, so that exit handlers release what is held. @param {NodeJS.Signals[]} signals */
function dieOn(signals) {
  const die = () => process.exit(130)
  for (const signal of signals) process.once(signal, die)
  return () => {
    for (const signal of signals) process.off(signal, die)
  }
}
