import { readFileSync } from 'node:fs'
import path from 'node:path'
import { identify, isInside, listChildren, readText, type ProcessIdentity } from './processes.ts'

/** The processes of a running container, as this machine numbers them. */
export interface Container {
  /** LXC's own process beside it. */
  readonly monitor: ProcessIdentity
  /** PID 1 inside: its death ends everything. */
  readonly init: ProcessIdentity
}

/** Where lxc-start writes the number of its monitor. */
export function pidFile(folder: string): string {
  return path.join(folder, 'monitor.pid')
}

/** The monitor of an environment's container: its command line names this folder, so a recycled number is not mistaken for it. */
export function findMonitor(folder: string): ProcessIdentity | undefined {
  const pid = Number(readText(pidFile(folder)))
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  let line = ''
  try {
    line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return undefined
  }
  return line.includes(folder) ? identify(pid) : undefined
}

/** Undefined unless it runs. Asks the kernel, not LXC: a few reads instead of a program. */
export function findContainer(folder: string): Container | undefined {
  const monitor = findMonitor(folder)
  if (monitor === undefined) return undefined
  // Hooks are children, too, but not in a pid namespace of their own.
  const found = listChildren(monitor.pid).find((pid) => !isInside(pid, monitor.pid))
  const init = found === undefined ? undefined : identify(found)
  return init === undefined ? undefined : { monitor, init }
}
