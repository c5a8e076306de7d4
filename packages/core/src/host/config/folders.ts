import { HolmError } from '../../errors.ts'
import { makeFolder } from './make-folder.ts'

/** Creates a folder of holm's for this user alone (0700), with its parents. HOLM_CONFIG_UNREADABLE says how to go on. */
export function createFolder(path: string): string {
  try {
    makeFolder(path)
    return path
  } catch (error) {
    throw unreadableError(path, error)
  }
}

/** The error for a folder or file of holm's that cannot be read or written: HOLM_DISK_FULL, else HOLM_CONFIG_UNREADABLE. */
export function unreadableError(path: string, cause: unknown): HolmError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const full = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC'
  return new HolmError(
    full ? 'HOLM_DISK_FULL' : 'HOLM_CONFIG_UNREADABLE',
    `${path} cannot be used: ${reason}`,
    {
      cause,
      hint: full
        ? 'Free some space, or set HOLM_HOME to a folder on another disk.'
        : 'Set HOLM_HOME to a folder that you can write to.',
      details: { path },
    },
  )
}
