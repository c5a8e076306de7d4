import { HolmError } from '../errors.ts'
import type { Process } from '../process.ts'

/** A process of this machine. */
export type LocalProcess = Process & { readonly pid: number | undefined }

/** Turns what the operating system said into an error that names the program, or the folder when that is what is missing. */
export function spawnError(
  program: string,
  options: { cwd?: string | URL | undefined },
  error: NodeJS.ErrnoException,
): HolmError {
  if (error.code === 'ENOENT') {
    const where = options.cwd === undefined ? '' : ` (in ${String(options.cwd)})`
    return new HolmError('HOLM_TOOL_MISSING', `cannot start ${program}${where}: not found`, {
      hint: `Install ${program}, or put it on PATH.`,
      cause: error,
      details: { program },
    })
  }
  return new HolmError('HOLM_COMMAND_FAILED', `cannot start ${program}: ${error.message}`, { cause: error })
}
