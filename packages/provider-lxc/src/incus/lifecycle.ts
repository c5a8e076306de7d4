import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, abortError, assertNotAborted, isHolmError } from '@holm/core'
import type {
  EnvironmentSpec,
  EnvironmentState,
  ProviderContext,
  RemoveOptions,
  StopOptions,
} from '@holm/core'
import { listIgnored, assertSupported } from '../requirements.ts'
import { absentState } from '../state.ts'
import { isMissing } from './api-errors.ts'
import { buildConfig, buildDevices, type BuildInput } from './build.ts'
import { prepareImage } from './images.ts'
import { findNetwork, findPool, resolverOf } from './place.ts'
import { createRecord, parseRecord, type IncusRecord, type Instance } from './record.ts'
import { pathOf, type IncusSession } from './session.ts'
import { parseState, statusOf } from './state.ts'
import { createVolumes, removeVolumes } from './volumes.ts'

const createMs = 600_000

/** The daemon has the powers of root whoever asks. */
const asRoot = { uid: 0, gid: 0, name: 'root' } as const

export function assertPossible(spec: EnvironmentSpec, ctx: ProviderContext): void {
  assertNotAborted(ctx.signal)
  assertSupported(spec, asRoot)
  for (const each of listIgnored(spec, asRoot)) ctx.log.warn(`${spec.name}: ${each}`)
}

export async function createEnvironment(
  session: IncusSession,
  spec: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  assertPossible(spec, ctx)
  return session.locked(spec.name, ctx, async () => {
    const found = await findTaken(session, spec, ctx)
    if (found !== undefined) return found
    const client = session.client()
    const input = await planInstance(session, createRecord(spec, session.logFile(spec.name)), ctx)
    const image = await prepareImage(session, spec.base, ctx)
    try {
      const source = { type: 'image', fingerprint: image.fingerprint }
      return await makeInstance(session, { input, source }, ctx)
    } finally {
      if (image.temporary)
        await client
          .change({ method: 'DELETE', path: `/1.0/images/${image.fingerprint}` })
          .catch(() => undefined)
    }
  })
}

/** The environment that has the name already, when it is the same; another is HOLM_ENVIRONMENT_CONFLICT. */
export async function findTaken(
  session: IncusSession,
  spec: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<EnvironmentState | undefined> {
  const instance = await session.find(spec.name, ctx)
  if (instance === undefined) return undefined
  const state = parseState(instance)
  const [mine, theirs] = [spec.labels, state.labels].map((labels) => textOf(labels))
  if (mine === theirs) return state
  throw new HolmError('HOLM_ENVIRONMENT_CONFLICT', `the name ${spec.name} is taken by another environment`, {
    hint: 'Choose another name, or remove it with `holm destroy`.',
    details: { name: spec.name },
  })
}

function textOf(labels: Readonly<Record<string, string>>): string {
  const byName = ([a]: readonly [string, string], [b]: readonly [string, string]): number => (a < b ? -1 : 1)
  return JSON.stringify(Object.entries(labels).toSorted(byName))
}

export async function planInstance(
  session: IncusSession,
  record: IncusRecord,
  ctx: ProviderContext,
): Promise<BuildInput> {
  const client = session.client()
  const [pool, network] = await Promise.all([findPool(client, ctx), findNetwork(client, record.network, ctx)])
  if (network === undefined && record.network === 'default')
    ctx.log.warn(
      `${record.name}: the daemon has no network; make one with \`incus network create\` or \`lxc network create\``,
    )
  return {
    namespace: session.namespace,
    record,
    pool,
    resolver: resolverOf(record, undefined),
    ...(network === undefined ? {} : { network: { name: network } }),
  }
}

/** One operation of the daemon, which either makes all of it or nothing. An abort waits for its end and takes it away again. */
export async function makeInstance(
  session: IncusSession,
  {
    input,
    source,
    none = [],
  }: { readonly input: BuildInput; readonly source: unknown; readonly none?: readonly string[] },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const client = session.client()
  const { name } = input.record
  const made = await createVolumes(session, input, ctx)
  try {
    assertNotAborted(ctx.signal)
    const devices = {
      ...Object.fromEntries(none.map((each) => [each, { type: 'none' }])),
      ...buildDevices(input),
    }
    const body = {
      name: session.instance(name),
      type: 'container',
      profiles: [],
      config: buildConfig(input),
      devices,
      source,
    }
    await client.change(
      { method: 'POST', path: '/1.0/instances', body },
      { action: `create ${name}`, timeoutMs: createMs },
    )
    if (ctx.signal.aborted) {
      await deleteInstance(session, name)
      throw abortError(ctx.signal)
    }
  } catch (error) {
    await removeVolumes(session, made)
    throw error
  }
  return parseState(await session.require(name, ctx))
}

export async function inspectEnvironment(
  session: IncusSession,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const instance = await session.find(name, ctx)
  return instance === undefined ? absentState(name) : parseState(instance)
}

export async function stopEnvironment(
  session: IncusSession,
  name: string,
  { options, ctx }: { readonly options: StopOptions; readonly ctx: ProviderContext },
): Promise<EnvironmentState> {
  if ((await session.find(name, ctx)) === undefined) return absentState(name)
  return session.locked(name, ctx, async () => {
    const instance = await session.find(name, ctx)
    if (instance === undefined) return absentState(name)
    await haltInstance(session, instance, options.graceMs)
    return inspectEnvironment(session, name, ctx)
  })
}

/** Asks it to end, and after the grace ends it. Also one that was started only to look into it, and one that is paused. */
export async function haltInstance(
  session: IncusSession,
  instance: Instance,
  graceMs: number,
): Promise<void> {
  if (instance.status === 'Stopped') return
  if (statusOf(instance) === 'paused') await changeState(session, instance.name, { action: 'unfreeze' })
  if (
    graceMs > 0 &&
    (await tryState(session, instance.name, {
      action: 'stop',
      timeout: Math.max(1, Math.ceil(graceMs / 1000)),
    }))
  )
    return
  await changeState(session, instance.name, { action: 'stop', force: true })
}

interface StateChange {
  readonly action: 'start' | 'stop' | 'freeze' | 'unfreeze'
  /** Seconds. */
  readonly timeout?: number
  readonly force?: boolean
}

const settled = /already (?:stopped|running|frozen)|not running|isn't running|is not frozen/i

/** Not aborted in the middle: what would be left of it has to be waited for in any case. */
export async function changeState(
  session: IncusSession,
  instance: string,
  change: StateChange,
): Promise<void> {
  const timeoutMs = 60_000 + (change.timeout ?? 0) * 1000
  const call = { method: 'PUT', path: pathOf(instance, '/state'), body: { timeout: -1, ...change } } as const
  const options = { timeoutMs, action: `${change.action} ${instance}` }
  await whenFree(() => session.client().change(call, options)).catch((error: unknown) => {
    if (settled.test(error instanceof Error ? error.message : '') || isMissing(error)) return
    throw error
  })
}

const busyMs = 60_000

/** The daemon takes down what has ended by itself, and refuses everything else until it has done so. */
async function whenFree<T>(work: () => Promise<T>): Promise<T> {
  const until = Date.now() + busyMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isHolmError(error, 'HOLM_ENVIRONMENT_BUSY') || Date.now() > until) throw error
      await sleep(50)
    }
  }
}

async function tryState(session: IncusSession, instance: string, change: StateChange): Promise<boolean> {
  try {
    await changeState(session, instance, change)
    return true
  } catch (error) {
    if (isHolmError(error, 'HOLM_PROVIDER_UNAVAILABLE')) throw error
    return false
  }
}

export async function removeEnvironment(
  session: IncusSession,
  name: string,
  { options, ctx }: { readonly options: RemoveOptions; readonly ctx: ProviderContext },
): Promise<void> {
  assertNotAborted(ctx.signal)
  if ((await session.find(name, ctx)) === undefined) return
  await session.locked(name, ctx, async () => {
    const instance = await session.find(name, ctx)
    if (instance === undefined) return
    await changeState(session, instance.name, { action: 'stop', force: true })
    await deleteInstance(session, name)
    await removeVolumes(session, volumesOf(session, instance, options.volumes))
    rmSync(parseRecord(instance).log, { force: true })
  })
}

async function deleteInstance(session: IncusSession, name: string): Promise<void> {
  const call = { method: 'DELETE', path: pathOf(session.instance(name)) } as const
  const options = { timeoutMs: createMs, action: `remove ${name}` }
  await whenFree(() => session.client().change(call, options)).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
}

/** Those without a name are the environment's alone. */
function volumesOf(
  session: IncusSession,
  instance: Instance,
  named: boolean,
): readonly { readonly pool: string; readonly name: string }[] {
  const { mounts } = parseRecord(instance)
  return mounts.flatMap((mount, index) => {
    const device = instance.devices[`mount${index}`]
    const { pool, source } = device ?? {}
    if (mount.type !== 'volume' || pool === undefined || source === undefined) return []
    return named || mount.source === undefined ? [{ pool, name: source }] : []
  })
}
