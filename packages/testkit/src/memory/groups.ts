import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process of this machine, as /proc tells. */
export interface GroupMember {
  readonly pid: number
  readonly group: number
  readonly cpuTicks: number
  readonly residentPages: number
}

/** Living processes of the given groups. Without /proc (macOS) one stands for each group. */
export function listMembers(groups: readonly number[]): GroupMember[] {
  // Asking the kernel first spares a walk through /proc; a group it knows may still be all zombies.
  const alive = groups.filter(isGroupAlive)
  if (process.platform !== 'linux' || alive.length === 0) return alive.map(unmeasured)
  const wanted = new Set(alive)
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(readMember)
    .filter((member) => member !== undefined)
    .filter((member) => wanted.has(member.group))
}

/** Sends the signal to every group; one that has ended is no error. */
export function signalGroups(groups: readonly number[], signal: NodeJS.Signals): void {
  for (const group of groups) {
    try {
      process.kill(-group, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** SIGTERM, and SIGKILL for what is left after `graceMs`. Returns when nothing of the groups lives. */
export async function endGroups(groups: readonly number[], graceMs: number): Promise<void> {
  if (listMembers(groups).length === 0) return
  signalGroups(groups, 'SIGTERM')
  // A stopped process acts on nothing but SIGKILL until it is continued.
  signalGroups(groups, 'SIGCONT')
  if (await haveEnded(groups, graceMs)) return
  signalGroups(groups, 'SIGKILL')
  await haveEnded(groups, 5000)
}

async function haveEnded(groups: readonly number[], deadlineMs: number): Promise<boolean> {
  const until = performance.now() + deadlineMs
  while (listMembers(groups).length > 0) {
    if (performance.now() >= until) return false
    await sleep(5)
  }
  return true
}

function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch {
    return false
  }
}

function unmeasured(group: number): GroupMember {
  return { pid: group, group, cpuTicks: 0, residentPages: 0 }
}

function readMember(pid: string): GroupMember | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program stands in parentheses and may hold anything, spaces too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const at = (index: number): number => Number(fields[index])
    return { pid: Number(pid), group: at(2), cpuTicks: at(11) + at(12), residentPages: at(21) }
  } catch {
    return undefined
  }
}
