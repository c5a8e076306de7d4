import { HolmError } from '@holm/core'
import type { ErrorCode } from '@holm/core'

/** What the client called it: a path of this machine is nothing to it. */
export function outside(path: string, why: string): HolmError {
  return new HolmError('HOLM_PATH_OUTSIDE', `${JSON.stringify(path)} ${why}`, {
    hint: 'Give a path relative to the folder of the environment.',
    details: { path },
  })
}

export function missing(path: string): HolmError {
  return new HolmError('HOLM_FILE_NOT_FOUND', `there is nothing at ${JSON.stringify(path)}`, {
    details: { path },
  })
}

export function failed(path: string, why: string): HolmError {
  return new HolmError('HOLM_FILE_FAILED', `${JSON.stringify(path)} ${why}`, { details: { path } })
}

const known: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['HOLM_FILE_NOT_FOUND', 'is not there'],
  EACCES: ['HOLM_FILE_DENIED', 'may not be used'],
  EPERM: ['HOLM_FILE_DENIED', 'may not be used'],
  EROFS: ['HOLM_FILE_DENIED', 'is on a read-only disk'],
  ENOTDIR: ['HOLM_FILE_FAILED', 'goes through something that is no folder'],
  EISDIR: ['HOLM_FILE_FAILED', 'is a folder'],
  EEXIST: ['HOLM_FILE_FAILED', 'exists already'],
  ENOTEMPTY: ['HOLM_FILE_FAILED', 'is a folder that is not empty'],
  ELOOP: ['HOLM_FILE_FAILED', 'was changed meanwhile, or has too many links in it'],
  EINVAL: ['HOLM_FILE_FAILED', 'was changed meanwhile'],
  ENAMETOOLONG: ['HOLM_FILE_FAILED', 'has a name that is too long'],
  ENOSPC: ['HOLM_DISK_FULL', 'cannot be written: the disk is full'],
  EDQUOT: ['HOLM_DISK_FULL', 'cannot be written: the quota is used up'],
}

/** An error of the operating system in holm's words. */
export function explain(path: string, error: unknown): unknown {
  const { code } = error as { readonly code?: unknown }
  if (error instanceof HolmError || typeof code !== 'string' || code.startsWith('HOLM_')) return error
  const [holm, words] = known[code] ?? ['HOLM_FILE_FAILED', `cannot be used (${code})`]
  return new HolmError(holm, `${JSON.stringify(path)} ${words}`, { cause: error, details: { path } })
}
