import type { EnvironmentState, EnvironmentStatus, PortBinding } from '@holm/core'
import { isAlive, loadBootId } from './processes.ts'
import type { Holder, SandboxRecord } from './record.ts'

/** Whether programs can be put into it: all three processes of the holder live. */
export function isRunning(record: SandboxRecord): record is SandboxRecord & { readonly holder: Holder } {
  const { holder } = record
  return holder !== undefined && [holder.init, holder.monitor, holder.anchor].every(isAlive)
}

export function absentState(name: string): EnvironmentState {
  return { name, provider: 'sandbox', status: 'absent', labels: {}, ports: [], limits: [] }
}

export function stateOf(record: SandboxRecord, ports: readonly PortBinding[] = []): EnvironmentState {
  const { status, reason } = statusOf(record)
  const live = status === 'running' || status === 'paused'
  return {
    name: record.name,
    provider: 'sandbox',
    status,
    ...(live && record.holder
      ? { id: String(record.holder.init.pid), startedAt: record.holder.startedAt }
      : {}),
    createdAt: record.createdAt,
    ...(reason === undefined ? {} : { reason }),
    labels: record.labels,
    ports: live ? ports : [],
    ...(live && record.network !== 'none' ? { address: '127.0.0.1' } : {}),
    limits: live ? (record.holder?.limits ?? []) : [],
  }
}

function statusOf(record: SandboxRecord): { status: EnvironmentStatus; reason?: string } {
  if (record.status === 'creating') {
    return isAlive(record.creator)
      ? { status: 'creating' }
      : { status: 'failed', reason: 'its creation was interrupted' }
  }
  if (record.holder === undefined) return { status: 'stopped' }
  if (isRunning(record)) return { status: record.paused ? 'paused' : 'running' }
  if (record.holder.init.bootId !== loadBootId())
    return { status: 'stopped', reason: 'this machine was restarted' }
  return { status: 'stopped', reason: 'its processes were ended from outside' }
}

/** The record without what only a running environment has. */
export function stoppedRecord(record: SandboxRecord): SandboxRecord {
  const { holder: _holder, paused: _paused, seatbelt: _seatbelt, ...rest } = record
  return rest
}
