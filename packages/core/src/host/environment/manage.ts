import { HolmError } from '../../errors.ts'
import { requireFacet, type LogChunk, type MetricsSample } from '../../facets.ts'
import type { Served } from '../../hooks.ts'
import type { CallOptions, EnvironmentInfo, HostApi } from '../../host-api.ts'
import type { EnvironmentState, Provider } from '../../provider.ts'
import { stopCompanions } from '../companions/end.ts'
import type { HostContext } from '../context.ts'
import { assertDocker, startDockerInside, stopDockerInside } from '../docker/index.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { inspect } from './ask.ts'
import { runLifecycle } from './lifecycle.ts'
import { serve, servedOf } from './serve.ts'
import { startWithin } from './start.ts'
import { findRecord } from './find.ts'
import { infoOf } from './info.ts'
import { readSecrets } from './secrets.ts'
import { knownUserEnv } from './user-env.ts'
import { markAsleep } from './uses.ts'

/** Options of a host method that takes a name first. */
export type MethodOptions<Method extends keyof HostApi> = HostApi[Method] extends (
  name: string | undefined,
  options?: infer Given,
) => unknown
  ? NonNullable<Given>
  : never

export interface Found {
  readonly record: EnvironmentRecord
  readonly provider: Provider
  readonly operation: Operation
}

/** The record, its provider, and an operation on it. */
export async function findEnvironment(
  host: HostContext,
  name: string | undefined,
  options: MethodOptions<'status'>,
): Promise<Found> {
  const record = findRecord(host, name, options.projectFolder)
  return {
    record,
    provider: await host.provider(record.provider),
    operation: host.operation(record.name, options),
  }
}

export async function statusOf(
  host: HostContext,
  name: string | undefined,
  options: MethodOptions<'status'>,
): Promise<EnvironmentInfo> {
  const { record, provider, operation } = await findEnvironment(host, name, options)
  const state = await inspect(provider, record.name, operation)
  const busy = host.state.locks.holder(record.name) !== undefined
  if (state.status === 'absent' && !busy) throw forget(host, record)
  const info = infoOf(state, record)
  if (record.phase === 'ready') return info
  return {
    ...info,
    status: busy ? 'creating' : 'failed',
    reason: busy ? undefined : 'left half-made by an interrupted up; the next up makes it anew',
  }
}

function forget(host: HostContext, record: EnvironmentRecord): HolmError {
  host.state.records.remove(record.name)
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `environment ${record.name} was removed outside holm`, {
    hint: 'Make it anew with: holm up',
    details: { name: record.name },
  })
}

export async function startEnvironment(
  host: HostContext,
  name: string | undefined,
  options: MethodOptions<'start'>,
): Promise<EnvironmentInfo> {
  const { record, provider, operation } = await findEnvironment(host, name, options)
  return host.state.locks.hold(record.name, 'start', async () => {
    const before = await inspect(provider, record.name, operation)
    if (before.status === 'absent') throw forget(host, record)
    if (before.status === 'running') {
      markAsleep(host, record.name, false)
      await bear(host, { record, provider, operation })
      await startDockerOf(host, { record, provider, operation }, before)
      return infoOf(before, record)
    }
    const state =
      before.status === 'paused'
        ? await operation.step('resume', () =>
            requireFacet(provider, 'pause').resume(record.name, operation.context),
          )
        : await wakeRecorded(host, { record, provider, operation })
    if (before.status !== 'paused') await runStartStages(host, { record, provider, operation })
    // Not before it runs: who finds it asleep waits for this.
    markAsleep(host, record.name, false)
    operation.emit({ type: 'state', environment: record.name, status: state.status })
    await serve(host, { record, state, operation })
    return infoOf(state, record)
  })
}

/** Starts it; a clone that never ran becomes a machine of its own. */
export async function wakeRecorded(
  host: HostContext,
  { record, provider, operation }: Found,
): Promise<EnvironmentState> {
  if (record.details.spec) assertDocker(host, provider, record.details.spec)
  const state = await startWithin(host, provider, { name: record.name, operation })
  await bear(host, { record, provider, operation })
  await startDockerOf(host, { record, provider, operation }, state)
  return state
}

async function startDockerOf(
  host: HostContext,
  { record, provider, operation }: Found,
  { user }: EnvironmentState,
): Promise<void> {
  const { spec } = record.details
  if (spec) await startDockerInside({ host, provider, operation, spec, user })
}

/** Also for one whose first start was killed before this was done. */
async function bear(host: HostContext, { record, provider, operation }: Found): Promise<void> {
  const { unborn, ...details } = record.details
  if (unborn !== true || details.spec === undefined) return
  const { renewIdentity } = await import('../copies/identity.ts')
  await renewIdentity({ provider, operation, spec: details.spec })
  host.state.records.put({ ...record, details })
}

/** `postStart` and `postAttach`, as the record's spec has them. */
export async function runStartStages(
  host: HostContext,
  { record, provider, operation }: Found,
): Promise<void> {
  const { spec } = record.details
  if (spec === undefined || spec.lifecycle.postStart.length + spec.lifecycle.postAttach.length === 0) return
  const secrets = await readSecrets(spec.secrets, {
    env: host.env,
    runner: host.runner,
    signal: operation.signal,
  })
  operation.hide(Object.values(secrets))
  const userEnv = await knownUserEnv({ host, record, provider, operation })
  await runLifecycle({ provider, operation, spec, userEnv, secrets }, ['postStart', 'postAttach'])
}

/** Only a running one has services that somebody could want to end in their order. */
async function servedBy(
  host: HostContext,
  { record, provider, operation }: Found,
): Promise<Served | undefined> {
  if (!record.details.spec?.services.length || !host.hooks.tapped('beforeStop')) return undefined
  const state = await inspect(provider, record.name, operation)
  return state.status === 'running' ? servedOf(host, { record, state, operation }) : undefined
}

export async function stopEnvironment(
  host: HostContext,
  name: string | undefined,
  options: MethodOptions<'stop'>,
): Promise<EnvironmentInfo> {
  const { record, provider, operation } = await findEnvironment(host, name, options)
  return host.state.locks.hold(record.name, 'stop', async () => {
    await host.registry.loadForHooks(['beforeStop', 'afterStop'])
    const served = await servedBy(host, { record, provider, operation })
    await host.hooks.before('beforeStop', {
      environment: record.name,
      provider: provider.id,
      ...(served && { served }),
    })
    const graceMs = options.graceMs ?? host.config.values['stop.grace']
    const { spec } = record.details
    const state = await operation.step('stop', async () => {
      if (spec) await stopDockerInside({ host, provider, operation, spec }, graceMs)
      return provider.stop(record.name, { graceMs }, operation.context)
    })
    await stopCompanions(host, { name: record.name, provider, operation })
    if (state.status === 'absent') throw forget(host, record)
    markAsleep(host, record.name, false)
    await host.hooks.after('afterStop', { environment: record.name })
    operation.emit({ type: 'state', environment: record.name, status: state.status })
    return infoOf(state, record)
  })
}

export async function measure(
  host: HostContext,
  name: string,
  options: CallOptions,
): Promise<MetricsSample | undefined> {
  const { record, provider, operation } = await findEnvironment(host, name, options)
  return provider.metrics?.sample(record.name, operation.context)
}

export async function* readLogs(
  host: HostContext,
  name: string | undefined,
  options: Parameters<HostApi['logs']>[1],
): AsyncIterable<LogChunk> {
  const { record, provider, operation } = await findEnvironment(host, name, options)
  const others = host.registry
    .ids('provider')
    .filter((id) => host.registry.manifestOf('provider', id)?.facets?.includes('logs'))
  yield* requireFacet(provider, 'logs', others).read(record.name, options, operation.context)
}
