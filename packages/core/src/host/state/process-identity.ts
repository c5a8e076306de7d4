import { readFileSync } from 'node:fs'

/** Names one process of one boot, so that a recycled pid is never taken for the process that wrote it down. */
export interface ProcessIdentity {
  readonly pid: number
  /** Opaque; compared only. Empty where the system does not tell. */
  readonly startedAt: string
}

export function currentProcess(): ProcessIdentity {
  return { pid: process.pid, startedAt: startTime(process.pid) }
}

/** Is that very process still there? */
export function isAlive(identity: ProcessIdentity): boolean {
  try {
    process.kill(identity.pid, 0)
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return identity.startedAt === '' || startTime(identity.pid) === identity.startedAt
}

/** Boot id and clock ticks since boot (proc(5), stat field 22) on Linux; elsewhere nothing, and the pid alone decides. */
function startTime(pid: number): string {
  if (process.platform !== 'linux') return ''
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name may hold spaces and parentheses: count fields after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Killed, and its parent has not looked yet: it does nothing any more.
    if (fields[0] === 'Z') return ''
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`
  } catch {
    return ''
  }
}
