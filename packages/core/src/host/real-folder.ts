import { realpathSync } from 'node:fs'
import { HolmError, type ErrorCode } from '../errors.ts'

/** The real path of a folder; one that is gone (a shell may still be in it) is an error with the code. */
export function resolveFolder(path: string, code: ErrorCode): string {
  try {
    return realpathSync(path)
  } catch (cause) {
    throw new HolmError(
      code,
      `the folder ${path} cannot be entered (${(cause as NodeJS.ErrnoException).code})`,
      {
        hint: 'Change to a folder that exists.',
        cause,
        details: { path },
      },
    )
  }
}
