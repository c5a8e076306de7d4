import { existsSync, readFileSync } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { findContainer, findMonitor, pidFile, type Container } from './container.ts'
import { isAlive, listProcesses, sendSignal, type ProcessIdentity } from './processes.ts'
import { thaw } from './pause.ts'
import type { LxcRecord } from './record.ts'
import type { Session } from './session.ts'
import { isPaused } from './state.ts'

export interface EndOptions {
  readonly graceMs: number
  readonly ctx: ProviderContext
}

const endDeadlineMs = 10_000

/** SIGTERM to what runs inside, after the grace SIGKILL to PID 1: the kernel then ends all of it. Also what was never quite started. */
export async function endContainer(
  session: Session,
  record: Pick<LxcRecord, 'name' | 'main'>,
  { graceMs, ctx }: EndOptions,
): Promise<void> {
  const folder = session.folder(record.name)
  const container = findContainer(folder)
  if (container !== undefined) {
    if (graceMs > 0) {
      if (isPaused(container)) await thaw(session, record.name, { container, ctx })
      await endPrograms(record.main, container, Date.now() + graceMs)
    }
    if (isAlive(container.init)) {
      sendSignal(container.init.pid, 'SIGKILL')
      // Version 1 keeps what is frozen from dying.
      if (isPaused(container)) await thaw(session, record.name, { container, ctx })
    }
    await waitForEnd(container.init, 'the main process')
  }
  await endMonitor(folder)
  await removeGroups(session.container(record.name))
  await rm(path.join(folder, 'run.json'), { force: true })
  await rm(pidFile(folder), { force: true })
}

/** SIGRTMIN+3, by number: Node has no name for it. systemd powers off. */
const powerOff = 37

async function endPrograms(main: LxcRecord['main'], { init }: Container, until: number): Promise<void> {
  if (main === 'base') {
    sendSignal(init.pid, isSystemd(init.pid) ? powerOff : 'SIGPWR')
    while (isAlive(init) && Date.now() < until) await sleep(10)
    return
  }
  // Other users' programs of an ordinary user's container cannot be signalled from here; they end with PID 1.
  const left = (): number[] => listProcesses(init.pid).filter((pid) => pid !== init.pid && !isKeeper(pid))
  const reached = left().filter((pid) => sendSignal(pid, 'SIGTERM') === 'sent')
  const waits = new Set(reached)
  while (left().some((pid) => waits.has(pid)) && Date.now() < until) await sleep(5)
}

function isSystemd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd'
  } catch {
    return false
  }
}

/** The `sleep` that PID 1 waits for. */
function isKeeper(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === 'sleep\u00002147483647\u0000'
  } catch {
    return false
  }
}

/** LXC's own process takes network and groups down, then ends. */
async function endMonitor(folder: string): Promise<void> {
  const monitor = findMonitor(folder)
  if (monitor === undefined) return
  const until = Date.now() + endDeadlineMs / 2
  while (isAlive(monitor) && Date.now() < until) await sleep(2)
  if (!isAlive(monitor)) return
  sendSignal(monitor.pid, 'SIGKILL')
  await waitForEnd(monitor, "LXC's monitor")
}

async function waitForEnd(process: ProcessIdentity, what: string): Promise<void> {
  const until = Date.now() + endDeadlineMs
  while (isAlive(process)) {
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `${what} (process ${process.pid}) does not end after SIGKILL`)
    await sleep(1)
  }
}

/**
 * Control groups that a killed monitor could not take down. Only empty ones go. LXC would give the next start groups of another
 * name beside them.
 */
export async function removeGroups(container: string): Promise<void> {
  const until = Date.now() + endDeadlineMs / 2
  // What ends in them may take a moment.
  while (await leavesGroups(container)) {
    if (Date.now() > until) return
    await sleep(10)
  }
}

async function leavesGroups(container: string): Promise<boolean> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '')
  const groups = mounts.flatMap((mount) =>
    ['payload', 'monitor'].map((kind) => path.join(mount, `lxc.${kind}.${container}`)),
  )
  for (const group of groups) if (existsSync(group)) await removeEmpty(group)
  return groups.some((group) => existsSync(group))
}

async function removeEmpty(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeEmpty(path.join(folder, entry.name))
  await rmdir(folder).catch(() => undefined)
}
