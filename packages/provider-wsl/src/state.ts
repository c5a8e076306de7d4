import type { AppliedLimit, EnvironmentState, EnvironmentStatus, PortBinding, Resources } from '@holm/core'
import { distributionName } from './argv.ts'
import { lifeOf } from './identity.ts'
import type { Holder, WslRecord } from './record.ts'
import type { Distributions } from './wsl.ts'

export interface Seen {
  readonly namespace: string
  readonly side: string
  readonly distributions: Distributions
}

export function absentState(name: string): EnvironmentState {
  return { name, provider: 'wsl', status: 'absent', labels: {}, ports: [], limits: [] }
}

/** A distribution with our prefix and no record: an import that nobody finished, or somebody else's. */
export function strayState(name: string): EnvironmentState {
  return {
    ...absentState(name),
    status: 'failed',
    reason: 'the distribution has no record of holm; remove it',
  }
}

export function stateOf(record: WslRecord, seen: Seen): EnvironmentState {
  const { status, reason } = statusOf(record, seen)
  const running = status === 'running'
  return {
    name: record.name,
    provider: 'wsl',
    status,
    id: record.id,
    createdAt: record.createdAt,
    ...(running && record.holder ? { startedAt: record.holder.startedAt } : {}),
    ...(reason === undefined ? {} : { reason }),
    labels: record.labels,
    ports: running ? portsOf(record) : [],
    limits: limitsOf(record.resources),
  }
}

function statusOf(
  record: WslRecord,
  { namespace, side, distributions }: Seen,
): { status: EnvironmentStatus; reason?: string } {
  if (record.status !== 'ready') {
    if (lifeOf(record.worker, side) !== 'dead') return { status: 'creating' }
    const what = record.status === 'creating' ? 'its creation' : 'restoring a snapshot'
    return { status: 'failed', reason: `${what} was interrupted` }
  }
  const distribution = distributionName(namespace, record.name)
  if (!distributions.all.has(distribution))
    return { status: 'failed', reason: 'its distribution is gone from WSL' }
  if (record.holder === undefined) return { status: 'stopped' }
  if (isHeld(record, side) && distributions.running.has(distribution)) return { status: 'running' }
  return { status: 'stopped', reason: 'it was ended from outside (wsl --shutdown, or a restart of Windows)' }
}

/** Whether the wsl.exe that waits for the main process lives, as far as this side can know. */
export function isHeld(record: WslRecord, side: string): record is WslRecord & { readonly holder: Holder } {
  return record.holder !== undefined && lifeOf(record.holder.process, side) !== 'dead'
}

/** WSL forwards localhost by itself: a port listens on this machine as it is, unless a rule leads another number to it. */
export function portsOf(record: WslRecord): PortBinding[] {
  return record.ports.map(({ container, host, hostIp, protocol }) => ({
    container,
    host: host ?? container,
    hostIp,
    protocol,
  }))
}

/** All distributions are one virtual machine: what was asked for is told, with nothing that enforces it. */
function limitsOf({ cpus, memoryBytes, diskBytes, pids }: Resources): AppliedLimit[] {
  const asked = Object.entries({ cpus, memory: memoryBytes, disk: diskBytes, pids }) as [
    AppliedLimit['name'],
    number | undefined,
  ][]
  return asked.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value, enforcedBy: null }]))
}
