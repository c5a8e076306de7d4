import { readFileSync, readlinkSync, realpathSync } from 'node:fs'
import path from 'node:path'
import type { EnvironmentState, EnvironmentStatus } from '@holm/core'
import { fileNames } from './argv.ts'
import { parseCause } from './console.ts'
import { planLimits } from './limits.ts'
import { isAlive, readText, runsWith } from './processes.ts'
import type { Machine, QemuRecord } from './record.ts'

/** Whether a machine of this environment is there at all, be it half started or only looked into. */
export function findProcess(record: Pick<QemuRecord, 'id' | 'machine'>, folder: string): number | undefined {
  const written = Number(readText(path.join(folder, fileNames.pid)).trim())
  const candidates = [record.machine?.pid, Number.isSafeInteger(written) && written > 0 ? written : undefined]
  return candidates.find((pid) => pid !== undefined && runsWith(pid, record.id))
}

/** The machine that was started in this folder, where no record tells its id. */
export function findStray(folder: string): number | undefined {
  const pid = Number(readText(path.join(folder, fileNames.pid)).trim())
  if (!Number.isSafeInteger(pid) || pid <= 0 || !/qemu-system/.test(readText(`/proc/${pid}/cmdline`)))
    return undefined
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(folder) ? pid : undefined
  } catch {
    return undefined
  }
}

/** Whether it counts as running: a machine that is up, and not only to look at files. */
export function isRunning(record: QemuRecord): record is QemuRecord & { readonly machine: Machine } {
  const { machine } = record
  return machine !== undefined && machine.hidden === undefined && runsWith(machine.pid, record.id)
}

export function absentState(name: string): EnvironmentState {
  return { name, provider: 'qemu', status: 'absent', labels: {}, ports: [], limits: [] }
}

export function stateOf(record: QemuRecord, folder: string): EnvironmentState {
  const { status, reason } = statusOf(record, folder)
  const live = status === 'running' || status === 'paused'
  return {
    name: record.name,
    provider: 'qemu',
    status,
    id: record.id,
    createdAt: record.createdAt,
    ...(live && record.machine ? { startedAt: record.machine.startedAt } : {}),
    ...(reason === undefined ? {} : { reason }),
    user: record.user ?? 'root',
    labels: record.labels,
    ports: live ? (record.machine?.ports ?? []) : [],
    limits: record.status === 'ready' ? planLimits(record.resources).applied : [],
  }
}

function statusOf(
  record: QemuRecord,
  folder: string,
): { readonly status: EnvironmentStatus; readonly reason?: string } {
  if (record.status === 'creating') {
    return isAlive(record.creator)
      ? { status: 'creating' }
      : { status: 'failed', reason: 'its creation was interrupted' }
  }
  if (record.machine === undefined || record.machine.hidden) return { status: 'stopped' }
  if (isRunning(record)) return { status: record.machine.paused ? 'paused' : 'running' }
  const cause = parseCause(readConsole(folder))
  return { status: 'stopped', reason: cause ?? 'its machine was ended from outside' }
}

function readConsole(folder: string): string {
  try {
    return readFileSync(path.join(folder, fileNames.console), 'utf8').slice(-20_000)
  } catch {
    return ''
  }
}

/** The record without what only a running environment has. */
export function stoppedRecord(record: QemuRecord): QemuRecord {
  const { machine: _machine, ...rest } = record
  return rest
}
