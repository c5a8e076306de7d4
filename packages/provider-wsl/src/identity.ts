import { readFileSync } from 'node:fs'

/** A process on one side: Windows, or one distribution. The other side cannot ask whether it lives. */
export interface ProcessIdentity {
  readonly side: string
  readonly pid: number
  /** Linux: clock ticks between boot and its start, so that a recycled number is not mistaken for it. */
  readonly start: string
}

export function identify(side: string, pid: number): ProcessIdentity {
  return { side, pid, start: startOf(pid) ?? '' }
}

export type Life = 'alive' | 'dead' | 'unknown'

export function lifeOf(identity: ProcessIdentity, side: string): Life {
  if (identity.side !== side) return 'unknown'
  if (identity.start !== '') return startOf(identity.pid) === identity.start ? 'alive' : 'dead'
  try {
    return process.kill(identity.pid, 0) ? 'alive' : 'dead'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : 'dead'
  }
}

/** Undefined for a process that is not there, or only waits to be asked how it ended. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : (fields[19] ?? '')
  } catch {
    return undefined
  }
}
