import path from 'node:path'
import type { AppliedLimit, EnvironmentState, EnvironmentStatus, LimitName, PortRequest } from '@holm/core'
import { isoTime, packJson, unpackJson } from './api.ts'
import type { Any, Container, Task } from './api.ts'
import type { ImageConfig } from './image-config.ts'
import { extension, label } from './names.ts'
import type { ContainerdOptions } from './options.ts'
import type { RunRecord } from './run-record.ts'

export const providerId = 'containerd'

/**
 * What holm knows of an environment beyond containerd's own fields. It is kept in the container, so that any holm finds all of
 * it where the container is, and nothing goes stale.
 */
export interface EnvironmentRecord {
  readonly name: string
  /** The spec's labels: containerd's own take no long values. */
  readonly labels: Readonly<Record<string, string>>
  /** Folder on this machine with its log, its /etc files and its FIFOs. */
  readonly folder: string
  readonly hostname: string
  readonly network: string
  /** Names that others in its named network find it by, besides its own and its host name. */
  readonly aliases?: readonly string[]
  readonly ports: readonly PortRequest[]
  readonly limits: Partial<Readonly<Record<LimitName, number>>>
  /** What enforces each limit. */
  readonly enforcers: Partial<Readonly<Record<LimitName, string | null>>>
  /** Who programs run as by default; empty for root. */
  readonly user: string
  /** Who the main process runs as; a name is looked up at each start. */
  readonly mainUser: string
  readonly workdir: string
  /** Committed snapshot that its files began with. */
  readonly parent: string
  /** The image it was made from; its files may have come from another environment since. */
  readonly base: { readonly name: string; readonly digest: string; readonly chain: string }
  /** What that image says of programs. */
  readonly config: ImageConfig
  /** Names of its volumes, and where the folders of all its volumes are. */
  readonly volumes: readonly VolumeRecord[]
  /** Sources of its bind mounts. */
  readonly binds: readonly string[]
  readonly options: ContainerdOptions
  /** Random per `create`: tells who made it. */
  readonly attempt: string
}

export interface VolumeRecord {
  /** Absent: anonymous. */
  readonly name?: string
  readonly folder: string
  readonly target: string
}

export function packRecord(record: EnvironmentRecord): Readonly<Record<string, Any>> {
  return { [extension]: packJson(extension, record) }
}

/** Undefined for a container that holm did not make. */
export function parseRecord(container: Container): EnvironmentRecord | undefined {
  if (container.labels[label.name] === undefined) return undefined
  return unpackJson(container.extensions[extension]) as EnvironmentRecord | undefined
}

export function absentState(name: string): EnvironmentState {
  return { name, provider: providerId, status: 'absent', labels: {}, ports: [], limits: [] }
}

export interface StateInput {
  readonly container: Container
  readonly record: EnvironmentRecord
  readonly task: Task | undefined
  readonly run: RunRecord | undefined
}

/** Pure: what is known, as the contract wants it. */
export function parseState({ container, record, task, run }: StateInput): EnvironmentState {
  const { status, reason } = parseStatus(task)
  const createdAt = isoTime(container.createdAt)
  const up = status === 'running' || status === 'paused'
  return {
    name: record.name,
    provider: providerId,
    status,
    id: `${container.id}@${record.attempt}`,
    ...(createdAt !== undefined && { createdAt }),
    ...(up && run && { startedAt: run.startedAt }),
    ...(reason !== undefined && { reason }),
    ...(record.user !== '' && { user: record.user }),
    labels: record.labels,
    ports: up ? (run?.ports ?? []) : [],
    limits: parseLimits(record),
  }
}

/** Codes that a stop asks for: nothing to report. */
const quietCodes: ReadonlySet<number> = new Set([0, 130, 137, 143])

function parseStatus(task: Task | undefined): {
  readonly status: EnvironmentStatus
  readonly reason?: string
} {
  switch (task?.status) {
    case undefined:
      return { status: 'stopped' }
    case 'RUNNING':
      return { status: 'running' }
    case 'PAUSED':
    case 'PAUSING':
      return { status: 'paused' }
    case 'CREATED':
      return { status: 'creating', reason: 'it is being started, or its start was interrupted' }
    case 'STOPPED':
      return quietCodes.has(task.exitStatus)
        ? { status: 'stopped' }
        : { status: 'failed', reason: `the main process ended with exit code ${task.exitStatus}` }
    default:
      return { status: 'failed', reason: 'containerd does not know the state of its processes' }
  }
}

function parseLimits({ limits, enforcers }: EnvironmentRecord): readonly AppliedLimit[] {
  return (['cpus', 'memory', 'disk', 'pids'] as const).flatMap((name) => {
    const value = limits[name]
    return value === undefined ? [] : [{ name, value, enforcedBy: enforcers[name] ?? null }]
  })
}

export function sameLabels(
  wanted: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): boolean {
  const keys = new Set([...Object.keys(wanted), ...Object.keys(own)])
  return [...keys].every((key) => wanted[key] === own[key])
}

/** Files of an environment, by what they hold. */
export function filesOf(folder: string): Readonly<Record<'log' | 'run' | 'io' | 'etc' | 'mounts', string>> {
  const file = (name: string): string => path.join(folder, name)
  return { log: file('log'), run: file('run.json'), io: file('io'), etc: file('etc'), mounts: file('mounts') }
}
