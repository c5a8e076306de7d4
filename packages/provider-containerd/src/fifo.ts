import { randomBytes } from 'node:crypto'
import { constants, openSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { Runner } from '@holm/core'

/**
 * Programs inside are reached through FIFOs, which Node cannot make: `mkfifo` makes a dozen at a time, and each is used again. So
 * that an exec starts no program on this machine.
 */
const stock = 12

/** Free ones are taken by renaming them, which only one process can. */
export async function takeFifos(folder: string, count: number, runner: Runner): Promise<readonly string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const free = (await readdir(folder)).filter((name) => name.startsWith('free-'))
    if (free.length === 0) await makeFifos(folder, runner)
    for (const name of free) {
      if (taken.length === count) break
      const target = path.join(folder, `used-${randomBytes(6).toString('hex')}`)
      const isOurs = await rename(path.join(folder, name), target).then(
        () => true,
        () => false,
      )
      if (isOurs) taken.push(target)
    }
  }
  return taken
}

export async function ensureFifos(folder: string, runner: Runner): Promise<void> {
  const names = await readdir(folder)
  if (!names.some((name) => name.startsWith('free-'))) await makeFifos(folder, runner)
}

async function makeFifos(folder: string, runner: Runner): Promise<void> {
  const prefix = path.join(folder, `free-${randomBytes(6).toString('hex')}`)
  const names = Array.from({ length: stock }, (_, index) => `${prefix}-${index}`)
  const { code, stderr } = await runner.run(['mkfifo', '-m', '600', '--', ...names], { timeoutMs: 10_000 })
  if (code === 0) return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `no FIFO could be made in ${folder}: ${stderr.trim()}`, {
    hint: 'Look for space and permissions of holm’s data folder.',
  })
}

/** Back to the free ones. Called when nobody has them open. */
export async function returnFifos(fifos: readonly string[]): Promise<void> {
  for (const fifo of fifos) {
    const target = path.join(path.dirname(fifo), `free-${path.basename(fifo)}`)
    await rename(fifo, target).catch(() => rm(fifo, { force: true }))
  }
}

/** Reads what comes; ends when the last writer has gone. It can be opened before there is any. */
export function readFifo(fifo: string): Socket {
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  return new Socket({ fd, readable: true, writable: false })
}

/** Keeps a FIFO open, so that the other side can open its end at any time. */
export function holdFifo(fifo: string): number {
  return openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
}

/** Undefined when nobody reads it any more. */
export function writeFifo(fifo: string): Socket | undefined {
  try {
    const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
    return new Socket({ fd, readable: false, writable: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return undefined
    throw error
  }
}
