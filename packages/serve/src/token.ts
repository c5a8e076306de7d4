import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import type { Logger } from '@holm/core'

export interface Token {
  readonly path: string
  readonly value: string
}

const form = /^[\w-]{43}$/

/** The token in a folder of holm's own, made at first use, or anew. Only its owner can read it. */
export function loadToken(
  folder: string,
  { renew = false, log }: { readonly renew?: boolean; readonly log: Logger },
): Token {
  const path = join(folder, 'token')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return { path, value: findToken(path, { renew, log }) }
  } catch (cause) {
    throw new HolmError(
      'HOLM_CONFIG_UNREADABLE',
      `the token ${path} cannot be kept: ${(cause as Error).message}`,
      {
        hint: 'Make the folder writable, or choose another one: HOLM_HOME',
        cause,
        details: { path },
      },
    )
  }
}

function findToken(path: string, { renew, log }: { readonly renew: boolean; readonly log: Logger }): string {
  const found = renew ? { replace: true } : readToken(path)
  if ('value' in found) return found.value
  if (!renew && found.replace)
    log.warn(`${path} could be read or written by others: a new token takes its place`)
  return writeToken(path, found.replace)
}

type Found = { readonly value: string } | { readonly replace: boolean }

function readToken(path: string): Found {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    return { replace: (error as NodeJS.ErrnoException).code !== 'ENOENT' }
  }
  try {
    const stat = fstatSync(descriptor)
    const mine = process.getuid === undefined || (stat.uid === process.getuid() && (stat.mode & 0o077) === 0)
    if (!mine || !stat.isFile()) return { replace: true }
    const value = readFileSync(descriptor, 'utf8').trim()
    return form.test(value) ? { value } : { replace: true }
  } finally {
    closeSync(descriptor)
  }
}

/** Whole or not at all. Of two holms that make the first one at once, both get the same. */
function writeToken(path: string, replace: boolean): string {
  const value = randomBytes(32).toString('base64url')
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  writeFileSync(draft, `${value}\n`, { mode: 0o600, flag: 'wx' })
  try {
    if (replace) renameSync(draft, path)
    else linkSync(draft, path)
    return value
  } catch (error) {
    const theirs = readToken(path)
    if ('value' in theirs) return theirs.value
    // A disk without hard links.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error
    renameSync(draft, path)
    return value
  } finally {
    rmSync(draft, { force: true })
  }
}

/** In a time that tells nothing of the token. */
export function isToken(shown: string | undefined, { value }: Token): boolean {
  if (shown === undefined) return false
  return timingSafeEqual(digest(shown), digest(value))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
