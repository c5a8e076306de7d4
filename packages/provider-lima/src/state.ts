import { stat } from 'node:fs/promises'
import path from 'node:path'
import { isHolmError } from '@holm/core'
import type { AppliedLimit, EnvironmentState, EnvironmentStatus, Resources } from '@holm/core'
import { argv } from './argv.ts'
import { isLocked } from './lock.ts'
import { parseInstances, type ListedInstance } from './parse.ts'
import type { LimaRecord } from './record.ts'
import type { Context, Session } from './session.ts'
import { listStored, loadStored, type Stored } from './store.ts'

export const providerId = 'lima'

export function absentState(name: string): EnvironmentState {
  return { name, provider: providerId, status: 'absent', labels: {}, ports: [], limits: [] }
}

export async function inspectEnvironment(
  session: Session,
  name: string,
  ctx: Context,
): Promise<EnvironmentState> {
  const stored = await loadStored(session, name)
  return stored === undefined ? absentState(name) : stateOf(session, stored, ctx)
}

export async function listEnvironments(session: Session, ctx: Context): Promise<readonly EnvironmentState[]> {
  const stored = await listStored(session)
  const listed = await listInstances(
    session,
    stored.map(({ instance }) => instance),
    ctx,
  )
  const states = await Promise.all(
    stored.map((each) => describeState(session, { stored: each, listed: listed.get(each.instance) })),
  )
  return states.filter(({ status }) => status !== 'absent')
}

export async function stateOf(session: Session, stored: Stored, ctx: Context): Promise<EnvironmentState> {
  const listed = await listInstances(session, [stored.instance], ctx)
  return describeState(session, { stored, listed: listed.get(stored.instance) })
}

/** How often limactl is asked again: it gives up on all instances when one is removed under it. */
const attempts = 3

export async function listInstances(
  session: Session,
  instances: readonly string[],
  ctx: Context,
): Promise<ReadonlyMap<string, ListedInstance>> {
  if (instances.length === 0) return new Map()
  for (let attempt = 1; ; attempt += 1) {
    const { code, stdout, stderr } = await ctx.runner.run(argv.list(instances), {
      env: session.env,
      cwd: '/',
      signal: ctx.signal,
      timeoutMs: 30_000,
    })
    const found = new Map(parseInstances(stdout).map((each) => [each.name, each]))
    // Code 1 is also what it says when one of the names is gone.
    if (code === 0 || !/level=fatal/.test(stderr) || attempt === attempts) return found
  }
}

interface Known {
  readonly stored: Stored
  readonly listed: ListedInstance | undefined
}

async function describeState(session: Session, { stored, listed }: Known): Promise<EnvironmentState> {
  const { record, instance, draft } = stored
  if (draft) {
    const busy = await isLocked(session, record.name)
    return formState(stored, {
      status: busy ? 'creating' : 'failed',
      ...(!busy && { reason: 'its creation was interrupted' }),
    })
  }
  if (listed === undefined) return absentState(record.name)
  const found = parseStatus(listed)
  const startedAt = found.status === 'running' ? await startTime(session, instance) : undefined
  return formState(stored, { ...found, ...(startedAt !== undefined && { startedAt }) })
}

interface Found {
  readonly status: EnvironmentStatus
  readonly reason?: string
  readonly startedAt?: string
}

/** Lima's word for it, and holm's. Pure. */
export function parseStatus({ status, errors }: ListedInstance): Found {
  if (status === 'Running') return { status: 'running' }
  if (status === 'Stopped') return { status: 'stopped' }
  if (status === 'Installing' || status === 'Uninitialized') return { status: 'creating' }
  const reason = errors.length > 0 ? errors.join('; ') : `Lima says "${status || 'unknown'}"`
  return { status: 'failed', reason }
}

/** The host agent writes its number once, when it starts. */
async function startTime(session: Session, instance: string): Promise<string | undefined> {
  const file = path.join(session.folder(instance), 'ha.pid')
  return (await stat(file).catch(() => undefined))?.mtime.toISOString()
}

function formState({ record, instance }: Stored, found: Found): EnvironmentState {
  return {
    name: record.name,
    provider: providerId,
    ...found,
    id: instance,
    createdAt: record.createdAt,
    ...(record.user !== undefined && { user: record.user }),
    labels: record.labels,
    ports: found.status === 'running' ? listPorts(record) : [],
    limits: describeLimits(record.resources),
  }
}

export function listPorts({ ports }: LimaRecord): EnvironmentState['ports'] {
  return ports.map(({ container, host, hostIp, protocol }) => ({ container, host, hostIp, protocol }))
}

/** Pure. A machine has whole processors: of one and a half it gets two, and nothing enforces the half. */
export function describeLimits({ cpus, memoryBytes, diskBytes, pids }: Resources): AppliedLimit[] {
  const limits: (AppliedLimit | undefined)[] = [
    limit('cpus', cpus, Number.isInteger(cpus) ? 'virtual processors' : null),
    limit('memory', memoryBytes, 'memory of the virtual machine'),
    limit('disk', diskBytes, 'size of the virtual disk'),
    limit('pids', pids, null),
  ]
  return limits.filter((each) => each !== undefined)
}

function limit(
  name: AppliedLimit['name'],
  value: number | undefined,
  enforcedBy: string | null,
): AppliedLimit | undefined {
  return value === undefined ? undefined : { name, value, enforcedBy }
}

/** For messages: an error's own words. */
export function wordsOf(error: unknown): string {
  return isHolmError(error) || error instanceof Error ? error.message : String(error)
}
