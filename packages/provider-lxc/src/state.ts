import path from 'node:path'
import type { EnvironmentState, EnvironmentStatus } from '@holm/core'
import { groupOf, loadCgroupMounts } from './cgroup.ts'
import { findContainer, type Container } from './container.ts'
import { isAlive, loadBootId, readText } from './processes.ts'
import { loadRun, type LxcRecord, type RunFacts } from './record.ts'

export function absentState(name: string): EnvironmentState {
  return { name, provider: 'lxc', status: 'absent', labels: {}, ports: [], limits: [] }
}

/** What is true now, of a record and the folder it was read from. */
export async function loadState(record: LxcRecord, folder: string): Promise<EnvironmentState> {
  const container = findContainer(folder)
  const run = await loadRun(folder)
  const live = container === undefined ? undefined : run
  const { status, reason } = statusOf(record, container, run)
  return {
    name: record.name,
    provider: 'lxc',
    status,
    ...(container ? { id: String(container.init.pid) } : {}),
    createdAt: record.createdAt,
    ...(live ? { startedAt: live.startedAt } : {}),
    ...(reason === undefined ? {} : { reason }),
    user: record.user ?? 'root',
    labels: record.labels,
    ports: live?.ports ?? [],
    limits: live?.limits ?? [],
  }
}

interface Status {
  readonly status: EnvironmentStatus
  readonly reason?: string
}

function statusOf(record: LxcRecord, container: Container | undefined, run: RunFacts | undefined): Status {
  if (record.status === 'creating') {
    if (isAlive(record.creator)) return { status: 'creating' }
    return { status: 'failed', reason: 'its creation was interrupted' }
  }
  if (container !== undefined) return { status: isPaused(container) ? 'paused' : 'running' }
  if (run === undefined) return { status: 'stopped' }
  // Nobody stopped it: a stop takes these facts away.
  const restarted = run.boot !== loadBootId()
  return { status: 'stopped', reason: restarted ? 'this machine was restarted' : 'its main process ended' }
}

/** Asks the freezer: a container that somebody else froze is paused as well. */
export function isPaused({ init }: Container): boolean {
  const group = groupOf(init.pid, 'freezer', loadCgroupMounts())
  if (group?.version === 1) return readText(path.join(group.folder, 'freezer.state')).trim() !== 'THAWED'
  if (group?.version === 2) return readText(path.join(group.folder, 'cgroup.freeze')).trim() === '1'
  return isSignalStopped(init.pid)
}

/** Without a freezer, pausing stops PID 1 last: its state stands for all. */
function isSignalStopped(pid: number): boolean {
  return /^State:\s+T/m.test(readText(`/proc/${pid}/status`))
}
