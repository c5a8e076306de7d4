import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { HolmError, assertNotAborted } from '@holm/core'
import type { Base, EnvironmentSpec, EnvironmentState, Mount, ProviderContext } from '@holm/core'
import { applyFault } from './faults.ts'
import { linkMount, linkPrograms, makeFiles } from './folders.ts'
import { limitsOf } from './resize.ts'
import { stateOf, type MemoryRuntime } from './runtime.ts'
import type { MemoryRecord } from './store.ts'

let made = 0

/** Whose files a new environment starts with. */
export interface Origin {
  readonly id: string
  readonly mounts: readonly Mount[]
}

/** Makes an environment whose files start as a copy of the origin's, else of what its base holds. */
export async function createEnvironment(
  runtime: MemoryRuntime,
  request: { readonly spec: EnvironmentSpec; readonly origin?: Origin },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const { spec } = request
  assertBase(spec.base)
  assertNetwork(runtime, spec.network)
  const record = newRecord(runtime, spec)
  const existing = await reserve(runtime, record)
  if (existing) return stateOf(runtime, existing)
  try {
    await makeAll(runtime, { record, ...request }, ctx)
    return stateOf(runtime, await finish(runtime, record))
  } catch (error) {
    await discard(runtime, record)
    throw error
  }
}

/** A base that nothing could be made of is refused before anything is made. */
export function assertBase(base: Base): void {
  const missing = describeMissing(base)
  if (missing === undefined) return
  throw new HolmError('HOLM_IMAGE_MISSING', missing, { hint: 'Name a base that exists.' })
}

function assertNetwork({ options }: MemoryRuntime, network: string): void {
  const isKnown = ['none', 'host'].includes(network)
  if (network === 'default' || (options.traits?.networks?.includes('named') && !isKnown)) return
  throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the memory provider has no network ${network}`, {
    hint: 'Leave network out, or choose another provider.',
  })
}

function describeMissing(base: Base): string | undefined {
  if (base.kind === 'image') {
    const host = base.reference.split('/')[0] ?? ''
    return host.endsWith('.invalid') ? `cannot pull ${base.reference}: no such host` : undefined
  }
  if (base.kind === 'host' || base.kind === 'build') return undefined
  return existsSync(base.path) ? undefined : `base ${base.name}: ${base.path} does not exist`
}

/** Files that `build` left for a base, if it is one of those. */
export function templateOf(runtime: MemoryRuntime, base: Base): string | undefined {
  if (base.kind !== 'image') return undefined
  const folder = runtime.folders.imageOf(base.reference.replace(/^memory:/, ''))
  return existsSync(folder) ? folder : undefined
}

function newRecord(runtime: MemoryRuntime, spec: EnvironmentSpec): MemoryRecord {
  made += 1
  return {
    id: `${process.pid.toString(36)}-${Date.now().toString(36)}-${made.toString(36)}`,
    namespace: runtime.namespace,
    name: spec.name,
    labels: spec.labels,
    createdAt: new Date().toISOString(),
    env: spec.env,
    mounts: spec.mounts,
    requestedPorts: spec.ports,
    limits: limitsOf(spec.resources),
    status: 'creating',
    ports: [],
    groups: [],
    snapshots: [],
  }
}

/** Takes the name, or returns the environment that has it already. */
function reserve(runtime: MemoryRuntime, record: MemoryRecord): Promise<MemoryRecord | undefined> {
  return runtime.store.update((data) => {
    const existing = data.environments[runtime.key(record.name)]
    if (existing === undefined) {
      data.environments[runtime.key(record.name)] = structuredClone(record)
      return undefined
    }
    if (!isDeepStrictEqual({ ...existing.labels }, { ...record.labels })) throw conflict(record.name)
    if (existing.status === 'creating') throw busy(record.name)
    return structuredClone(existing)
  })
}

async function makeAll(
  runtime: MemoryRuntime,
  { record, spec, origin }: { record: MemoryRecord; spec: EnvironmentSpec; origin?: Origin },
  ctx: ProviderContext,
): Promise<void> {
  const files = runtime.folders.filesOf(record.id)
  ctx.progress({ message: `making ${record.name}` })
  await linkPrograms(runtime.folders.bin, runtime.options.programs ?? {})
  const template = origin ? runtime.folders.filesOf(origin.id) : templateOf(runtime, spec.base)
  await makeFiles(files, template, origin?.mounts)
  if (!origin && spec.base.kind === 'rootfs') await unpackBase(files, spec.base.path, ctx)
  await applyFault(runtime.faults['create'], ctx)
  for (const [index, mount] of record.mounts.entries()) {
    await linkMount(files, mount, await sourceOf(runtime, { record, mount, index }))
  }
  assertNotAborted(ctx.signal)
}

async function unpackBase(files: string, path: string, ctx: ProviderContext): Promise<void> {
  const { code, stderr } = await ctx.runner.run(['tar', '-xpf', path, '-C', files], { signal: ctx.signal })
  if (code === 0) return
  throw new HolmError('HOLM_BASE_INVALID', `${path} cannot be unpacked: ${stderr.trim().slice(-300)}`)
}

async function sourceOf(
  runtime: MemoryRuntime,
  { record, mount, index }: { record: MemoryRecord; mount: Mount; index: number },
): Promise<string> {
  if (mount.type === 'bind') return mount.source
  const source =
    mount.type === 'volume' && mount.source !== undefined
      ? runtime.folders.volumeOf(`${runtime.namespace}/${mount.source}`)
      : tmpfsFolder(runtime, record.id, index)
  await mkdir(source, { recursive: true })
  return source
}

/** Where a tmpfs or an anonymous volume of an environment is. */
export function tmpfsFolder(runtime: MemoryRuntime, id: string, index: number): string {
  return join(runtime.folders.folderOf(id), 'mounts', String(index))
}

function finish(runtime: MemoryRuntime, { id, name }: MemoryRecord): Promise<MemoryRecord> {
  return runtime.store.update((data) => {
    const record = data.environments[runtime.key(name)]
    if (record?.id !== id) throw busy(name)
    record.status = 'stopped'
    return structuredClone(record)
  })
}

async function discard(runtime: MemoryRuntime, { id, name }: MemoryRecord): Promise<void> {
  await rm(runtime.folders.folderOf(id), { recursive: true, force: true })
  await runtime.store.update((data) => {
    if (data.environments[runtime.key(name)]?.id === id) delete data.environments[runtime.key(name)]
  })
}

function conflict(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_CONFLICT', `environment ${name} exists with other labels`, {
    hint: 'Choose another name, or remove it.',
  })
}

function busy(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_BUSY', `environment ${name} is being created`, {
    hint: 'Wait, or remove it when the process that made it is gone.',
  })
}
