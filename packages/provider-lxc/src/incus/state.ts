import { existsSync } from 'node:fs'
import path from 'node:path'
import type { AppliedLimit, EnvironmentState, EnvironmentStatus } from '@holm/core'
import { loadCgroupMounts, readNumber, versionOf, type CgroupMounts, type Controller } from '../cgroup.ts'
import { readText } from '../processes.ts'
import { effectiveResources } from './build.ts'
import { key } from './names.ts'
import { parseRecord, type Instance, type IncusRecord } from './record.ts'

const statuses: Readonly<Record<string, EnvironmentStatus>> = {
  Running: 'running',
  Ready: 'running',
  Frozen: 'paused',
  Freezing: 'paused',
  Stopped: 'stopped',
  Starting: 'stopped',
  Stopping: 'running',
}

export function statusOf({ status, config }: Pick<Instance, 'status' | 'config'>): EnvironmentStatus {
  // Started only to look into it: for everybody else it is stopped.
  if ((config[key.visit] ?? '') !== '') return 'stopped'
  return statuses[status] ?? 'failed'
}

export function parseState(instance: Instance): EnvironmentState {
  const record = parseRecord(instance)
  const status = statusOf(instance)
  const live = status === 'running' || status === 'paused'
  return {
    name: record.name,
    provider: 'lxc',
    status,
    id: instance.config['volatile.uuid'] ?? instance.name,
    createdAt: instance.created_at,
    ...(live ? { startedAt: instance.last_used_at } : {}),
    ...(status === 'failed' ? { reason: `the daemon says "${instance.status}"` } : {}),
    user: record.user ?? 'root',
    labels: record.labels,
    ports: live ? record.bindings : [],
    limits: live ? listLimits(instance.name, record) : [],
  }
}

const controllerOf = { cpus: 'cpu', memory: 'memory', pids: 'pids' } as const

/** What was asked for. It counts as enforced when the kernel says so: the daemon leaves out what a machine has no controller for. */
function listLimits(instance: string, record: IncusRecord): AppliedLimit[] {
  const { cpus, memoryBytes, pids, diskBytes } = effectiveResources(record.resources)
  const mounts = loadCgroupMounts()
  const asked = { cpus, memory: memoryBytes, pids } as const
  const limits = (['cpus', 'memory', 'pids'] as const).flatMap((name) => {
    const value = asked[name]
    return value === undefined
      ? []
      : [{ name, value, enforcedBy: enforcedBy(instance, { name, value, mounts }) }]
  })
  return diskBytes === undefined ? limits : [...limits, { name: 'disk', value: diskBytes, enforcedBy: null }]
}

function enforcedBy(
  instance: string,
  {
    name,
    value,
    mounts,
  }: { readonly name: keyof typeof controllerOf; readonly value: number; readonly mounts: CgroupMounts },
): string | null {
  const controller = controllerOf[name]
  const group = groupFolder(instance, controller, mounts)
  if (group === undefined) return null
  const found = loadLimit(group.folder, name)
  // The kernel counts memory in pages.
  const fits = found !== undefined && Math.abs(found - value) <= (name === 'memory' ? 4096 : 0.002)
  return fits ? `cgroup v${group.version} ${controller}` : null
}

/** The container's own group, by the name that LXC gives it. */
export function groupFolder(
  instance: string,
  controller: Controller,
  mounts: CgroupMounts,
): { readonly folder: string; readonly version: 1 | 2 } | undefined {
  const version = versionOf(controller, { mounts, usable: () => true })
  const top = version === 1 ? mounts.v1[controller] : version === 2 ? mounts.v2?.folder : undefined
  if (version === undefined || top === undefined) return undefined
  const folder = path.join(top, `lxc.payload.${instance}`)
  return existsSync(folder) ? { folder, version } : undefined
}

function loadLimit(folder: string, name: keyof typeof controllerOf): number | undefined {
  if (name === 'pids') return readNumber(folder, 'pids.max')
  if (name === 'memory')
    return readNumber(folder, 'memory.limit_in_bytes') ?? readNumber(folder, 'memory.max')
  const [quota = '', period = ''] = readText(path.join(folder, 'cpu.max')).trim().split(' ')
  if (period !== '') return Number(quota) / Number(period)
  const old = readNumber(folder, 'cpu.cfs_quota_us')
  return old === undefined ? undefined : old / (readNumber(folder, 'cpu.cfs_period_us') ?? 100_000)
}
