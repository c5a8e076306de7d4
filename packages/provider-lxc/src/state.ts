import path from 'node:path'
import type { EnvironmentState, EnvironmentStatus } from '@holm/core'
import { groupOf, loadCgroupMounts } from './cgroup.ts'
import { findContainer, type Container } from './container.ts'
import { isAlive, readText } from './processes.ts'
import { loadRun, type LxcRecord } from './record.ts'

export function absentState(name: string): EnvironmentState {
  return { name, provider: 'lxc', status: 'absent', labels: {}, ports: [], limits: [] }
}

/** What is true now, of a record and the folder it was read from. */
export async function loadState(record: LxcRecord, folder: string): Promise<EnvironmentState> {
  const container = findContainer(folder)
  const { status, reason } = statusOf(record, container)
  const run = container === undefined ? undefined : await loadRun(folder)
  return {
    name: record.name,
    provider: 'lxc',
    status,
    ...(container ? { id: String(container.init.pid) } : {}),
    createdAt: record.createdAt,
    ...(run ? { startedAt: run.startedAt } : {}),
    ...(reason === undefined ? {} : { reason }),
    user: record.user ?? 'root',
    labels: record.labels,
    ports: run?.ports ?? [],
    limits: run?.limits ?? [],
  }
}

function statusOf(
  record: LxcRecord,
  container: Container | undefined,
): { readonly status: EnvironmentStatus; readonly reason?: string } {
  if (record.status === 'creating')
    return isAlive(record.creator)
      ? { status: 'creating' }
      : { status: 'failed', reason: 'its creation was interrupted' }
  if (container === undefined) return { status: 'stopped' }
  return { status: isPaused(container) ? 'paused' : 'running' }
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
