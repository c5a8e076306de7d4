import type { AppliedLimit, EnvironmentState, EnvironmentStatus, LimitName, PortBinding } from '@holm/core'
import type { ContainerCreateOptions, ContainerInfo, ContainerInspectInfo } from 'dockerode'
import { label } from './names.ts'

/** Provider id in every state. */
export const providerId = 'docker'

export function absentState(name: string): EnvironmentState {
  return { name, provider: providerId, status: 'absent', labels: {}, ports: [], limits: [] }
}

/** Pure: what `GET /containers/<id>/json` says, as the contract wants it. */
export function parseInspect(info: ContainerInspectInfo, name: string): EnvironmentState {
  const labels = info.Config.Labels ?? {}
  const { status, reason } = parseStatus(info.State)
  return {
    name,
    provider: providerId,
    status,
    id: info.Id,
    createdAt: isoTime(info.Created) ?? info.Created,
    ...startedAt(info.State.StartedAt),
    ...(reason !== undefined && { reason }),
    ...(labels[label.owner] !== undefined && endOf(info)),
    ...defaultUser(labels[label.user] || info.Config.User),
    labels: specLabels(labels),
    ports: status === 'running' || status === 'paused' ? parsePorts(info.NetworkSettings.Ports) : [],
    limits: parseLimits(
      { ...parseJson(labels[label.limits]), ...resizedLimits(info.HostConfig) },
      (info.HostConfig.StorageOpt ?? {})['size'] !== undefined,
    ),
  }
}

/** Pure: a container that was made with these options a moment ago, without asking the engine again. */
export function parseCreated(
  { Labels: labels = {}, User: user, HostConfig: hostConfig = {} }: ContainerCreateOptions,
  { id, name }: { readonly id: string; readonly name: string },
): EnvironmentState {
  return {
    name,
    provider: providerId,
    status: 'stopped',
    id,
    ...defaultUser(labels[label.user] || user),
    labels: specLabels(labels),
    ports: [],
    limits: parseLimits(
      { ...parseJson(labels[label.limits]), ...resizedLimits(hostConfig) },
      (hostConfig.StorageOpt ?? {})['size'] !== undefined,
    ),
  }
}

function defaultUser(user: string | undefined): { readonly user?: string } {
  return user ? { user } : {}
}

/** Pure: one row of `GET /containers/json`. Undefined for a row without this provider's name label. */
export function parseListed(info: ContainerInfo): EnvironmentState | undefined {
  const labels = info.Labels ?? {}
  const name = labels[label.name]
  if (name === undefined) return undefined
  const { status, reason } = parseListedStatus(info)
  return {
    name,
    provider: providerId,
    status,
    id: info.Id,
    createdAt: new Date(info.Created * 1000).toISOString(),
    ...listedStart(info.Status),
    ...(reason !== undefined && { reason }),
    labels: specLabels(labels),
    ports: status === 'running' || status === 'paused' ? parseListedPorts(info.Ports ?? []) : [],
    // A list tells the limits of the creation, and not whether the disk limit holds; `inspect` tells what is so now.
    limits: parseLimits(parseJson(labels[label.limits]), false),
  }
}

/** How a companion ended, and how often the engine has started it again. */
function endOf({
  State,
  RestartCount,
}: ContainerInspectInfo): Pick<EnvironmentState, 'exitCode' | 'restarts'> {
  const ended = ['exited', 'restarting', 'dead'].includes(State.Status)
  return { ...(ended && { exitCode: State.ExitCode }), restarts: RestartCount }
}

interface Verdict {
  readonly status: EnvironmentStatus
  readonly reason?: string
}

function parseStatus(state: ContainerInspectInfo['State']): Verdict {
  switch (state.Status) {
    case 'running':
    case 'paused':
      return { status: state.Status }
    case 'restarting':
      return { status: 'failed', reason: `restarting after exit code ${state.ExitCode}` }
    case 'created':
      return state.Error ? { status: 'failed', reason: oneLine(state.Error) } : { status: 'stopped' }
    case 'removing':
      return { status: 'failed', reason: 'it is being removed' }
    case 'dead':
      return {
        status: 'failed',
        reason: state.Error ? oneLine(state.Error) : 'the engine could not remove it',
      }
    default:
      return parseExited(state)
  }
}

/** Codes that a stop asks for: nothing to report. */
const quietCodes: ReadonlySet<number> = new Set([0, 130, 137, 143])

/** What the engine puts down for what ran when it, or the machine, went away. */
const unseenCode = 255

function parseExited(state: ContainerInspectInfo['State']): Verdict {
  if (state.OOMKilled)
    return {
      status: 'failed',
      reason: `out of memory: the kernel killed the main process (exit code ${state.ExitCode})`,
    }
  if (state.Error) return { status: 'failed', reason: oneLine(state.Error) }
  if (quietCodes.has(state.ExitCode)) return { status: 'stopped' }
  if (state.ExitCode === unseenCode)
    return { status: 'stopped', reason: 'it ended while the engine was away, or with exit code 255' }
  return { status: 'failed', reason: `the main process ended with exit code ${state.ExitCode}` }
}

/** The list has the exit code only in a text: "Exited (137) 2 minutes ago". */
function parseListedStatus(info: ContainerInfo): Verdict {
  const ExitCode = Number(/^Exited \((-?\d+)\)/.exec(info.Status)?.[1] ?? 0)
  // podman says "stopped", "configured" and "initialized" where docker says "exited" and "created".
  return parseStatus({
    Status: info.State,
    ExitCode,
    OOMKilled: false,
    Error: '',
  } as ContainerInspectInfo['State'])
}

type PortMap = ContainerInspectInfo['NetworkSettings']['Ports']

export function parsePorts(ports: PortMap | null | undefined): readonly PortBinding[] {
  const found = Object.entries(ports ?? {}).flatMap(([key, bindings]) => {
    const [container, protocol] = key.split('/')
    return (bindings ?? []).map((binding) => ({
      container: Number(container),
      host: Number(binding.HostPort),
      hostIp: binding.HostIp === '' ? '0.0.0.0' : binding.HostIp,
      protocol: protocol === 'udp' ? ('udp' as const) : ('tcp' as const),
    }))
  })
  return sortPorts(found)
}

function parseListedPorts(ports: ContainerInfo['Ports']): readonly PortBinding[] {
  const found = ports
    .filter((port) => port.PublicPort)
    .map((port) => ({
      container: port.PrivatePort,
      host: port.PublicPort,
      hostIp: port.IP ?? '0.0.0.0',
      protocol: port.Type === 'udp' ? ('udp' as const) : ('tcp' as const),
    }))
  return sortPorts(found)
}

function sortPorts(ports: readonly PortBinding[]): readonly PortBinding[] {
  return ports.toSorted(
    (a, b) => a.container - b.container || a.host - b.host || a.hostIp.localeCompare(b.hostIp),
  )
}

/** The labels the spec had: a container also carries its image's and this provider's. */
export function specLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const keys = parseList(labels[label.keys])
  if (!keys)
    return Object.fromEntries(
      Object.entries(labels).filter(
        ([key]) => key.startsWith('dev.holm.') && !key.startsWith('dev.holm.docker.'),
      ),
    )
  return Object.fromEntries(
    keys.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]] as const])),
  )
}

/** True when `existing` was made from a spec with these labels. */
export function sameLabels(
  wanted: Readonly<Record<string, string>>,
  existing: Readonly<Record<string, string>>,
): boolean {
  const own = specLabels(existing)
  const keys = new Set([...Object.keys(wanted), ...Object.keys(own)])
  return [...keys].every((key) => wanted[key] === own[key])
}

const enforcers: Readonly<Record<LimitName, string>> = {
  cpus: 'cgroup cpu quota',
  memory: 'cgroup memory',
  pids: 'cgroup pids',
  disk: 'storage driver quota',
}

/** Limits as the engine has them now: a resize changes no label. */
function resizedLimits(config: ContainerInspectInfo['HostConfig']): Partial<Record<LimitName, number>> {
  return {
    ...(config.NanoCpus ? { cpus: config.NanoCpus / 1e9 } : {}),
    ...(config.Memory ? { memory: config.Memory } : {}),
    ...(config.PidsLimit && config.PidsLimit > 0 ? { pids: config.PidsLimit } : {}),
  }
}

function parseLimits(
  wanted: Readonly<Record<string, unknown>>,
  diskEnforced: boolean,
): readonly AppliedLimit[] {
  return (['cpus', 'memory', 'disk', 'pids'] as const).flatMap((name) => {
    const value = wanted[name]
    if (typeof value !== 'number') return []
    return [{ name, value, enforcedBy: name === 'disk' && !diskEnforced ? null : enforcers[name] }]
  })
}

const unitMs: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
  year: 31_536_000_000,
}

/** The list tells a start only as "Up 3 hours (healthy)": exact to that unit, and without a call per environment. */
function listedStart(status: string, now: number = Date.now()): { readonly startedAt?: string } {
  const match = /^Up (?:Less than )?(?:About )?(\d+|an?) (\w+?)s?\b/.exec(status)
  const unit = unitMs[match?.[2] ?? '']
  if (!match || unit === undefined) return {}
  const count = Number(match[1])
  return { startedAt: new Date(now - (Number.isNaN(count) ? 1 : count) * unit).toISOString() }
}

function startedAt(value: string | undefined): { readonly startedAt?: string } {
  const time = isoTime(value)
  return time === undefined ? {} : { startedAt: time }
}

/** The engine writes nanoseconds, and year 1 for "never". */
function isoTime(value: string | undefined): string | undefined {
  const time = value === undefined ? Number.NaN : Date.parse(value)
  return Number.isNaN(time) || time <= 0 ? undefined : new Date(time).toISOString()
}

function parseJson(value: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(value ?? '{}')
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function parseList(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(value)
    return Array.isArray(parsed) ? parsed.map(String) : undefined
  } catch {
    return undefined
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
