import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import { identify, lifeOf, type ProcessIdentity } from './identity.ts'
import { isMissing } from './record.ts'

/** A lock of the other side (Windows, another distribution) is believed for as long as the longest call may take. */
const foreignMs = 10 * 60_000

/** Runs `action` while no other holm changes the environment: HOLM_ENVIRONMENT_BUSY when one does. A dead one's lock is taken over. */
export async function withLock<T>(
  { folder, name, side }: { readonly folder: string; readonly name: string; readonly side: string },
  action: () => Promise<T>,
): Promise<T> {
  const file = path.join(folder, 'lock')
  await takeLock(file, name, side)
  try {
    return await action()
  } finally {
    await rm(file, { force: true })
  }
}

async function takeLock(file: string, name: string, side: string): Promise<void> {
  for (;;) {
    if (await writeNew(file, JSON.stringify(identify(side, process.pid)), name)) return
    const { stale, text } = await look(file, side)
    if (!stale) {
      throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is working on environment ${name}`, {
        hint: 'Wait until it has finished, then try again.',
      })
    }
    const away = `${file}-stale-${randomBytes(4).toString('hex')}`
    await rename(file, away).catch(() => undefined)
    // Between reading and renaming another process may have taken over: give it back.
    const taken = await readFile(away, 'utf8').catch(() => undefined)
    if (taken !== undefined && taken !== text) await link(away, file).catch(() => undefined)
    await rm(away, { force: true })
  }
}

/** A link appears with its content in it, or not at all. A drive without links gets a file that must not exist. */
async function writeNew(file: string, text: string, name: string): Promise<boolean> {
  const draft = `${file}-${randomBytes(4).toString('hex')}`
  try {
    await writeFile(draft, text, { mode: 0o600 })
    await link(draft, file).catch((error: unknown) => {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error
      return writeFile(file, text, { mode: 0o600, flag: 'wx' })
    })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    if (isMissing(error)) throw notFound(name)
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function look(file: string, side: string): Promise<{ stale: boolean; text: string }> {
  let text = ''
  try {
    text = await readFile(file, 'utf8')
    const life = lifeOf(JSON.parse(text) as ProcessIdentity, side)
    const old = life === 'unknown' && Date.now() - (await stat(file)).mtimeMs > foreignMs
    return { stale: old || life === 'dead', text }
  } catch (error) {
    // Gone meanwhile, or damaged by a crash of the machine.
    if (isMissing(error) || error instanceof SyntaxError) return { stale: true, text }
    throw error
  }
}

export function notFound(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `no environment "${name}" in WSL`, {
    hint: 'Run `holm list` to see what there is.',
  })
}

export function notRunning(name: string, reason?: string): HolmError {
  const why = reason === undefined ? '' : `: ${reason}`
  return new HolmError('HOLM_ENVIRONMENT_NOT_RUNNING', `environment ${name} is not running${why}`, {
    hint: `Run \`holm start ${name}\`.`,
  })
}
