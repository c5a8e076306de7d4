import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import { requireFacet, type FacetName, type SnapshotInfo } from '../../facets.ts'
import type { RestoreResult, Snapshot, SnapshotOptions } from '../../copies-api.ts'
import type { CallOptions, HostApi } from '../../host-api.ts'
import type { HostContext } from '../context.ts'
import { infoOf } from '../environment/info.ts'
import { findEnvironment, type Found } from '../environment/manage.ts'
import type { SnapshotRecord } from '../state/index.ts'
import { saveMounts, writableMounts } from './files.ts'
import { restoreAll } from './restore.ts'

type Options = CallOptions & { readonly projectFolder?: string }

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

async function create(
  host: HostContext,
  environment: string | undefined,
  options: SnapshotOptions,
): Promise<Snapshot> {
  const found = await findEnvironment(host, environment, options)
  requireFacet(found.provider, 'snapshots', providersWith(host, 'snapshots'))
  if (options.memory === true) requireFacet(found.provider, 'checkpoints', providersWith(host, 'checkpoints'))
  const name = options.name ?? timeName()
  assertName(name)
  return host.state.locks.hold(found.record.name, 'snapshot', () =>
    save(host, found, { ...options, name, automatic: false }),
  )
}

/** 20260131-235959, in UTC. */
function timeName(): string {
  return new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')
}

function assertName(name: string): void {
  if (namePattern.test(name)) return
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of a snapshot`, {
    hint: 'Use up to 100 letters, digits, dots, underscores and hyphens.',
  })
}

/** Providers whose manifest lists the facet. */
export function providersWith(host: HostContext, facet: FacetName): string[] {
  return host.registry
    .ids('provider')
    .filter((id) => host.registry.manifestOf('provider', id)?.facets?.includes(facet))
}

export function snapshotsFolder(host: HostContext, environment: string): string {
  return join(host.paths.data, 'snapshots', host.namespace, environment)
}

interface Saving extends Pick<SnapshotOptions, 'memory' | 'files'> {
  readonly name: string
  readonly automatic: boolean
}

/** The runtime's own part first: it refuses a name that is taken. A record makes it whole. */
async function save(
  host: HostContext,
  found: Found,
  { name, memory, files, automatic }: Saving,
): Promise<Snapshot> {
  const { record, provider, operation } = found
  const snapshots = requireFacet(provider, 'snapshots')
  const facet = memory === true ? requireFacet(provider, 'checkpoints') : snapshots
  const parent = snapshotsFolder(host, record.name)
  await removeDrafts(parent)
  const info = await operation.step('snapshot', () => facet.create(record.name, name, operation.context))
  const draft = join(parent, `.draft-${randomBytes(4).toString('hex')}`)
  try {
    const mounts = files === false ? undefined : await saveFiles(host, found, draft)
    const place = join(parent, name)
    await rm(place, { recursive: true, force: true })
    if (mounts !== undefined && mounts.length > 0) await rename(draft, place)
    const item: SnapshotRecord = {
      environment: record.name,
      name,
      createdAt: info.createdAt,
      memory: info.includesMemory,
      automatic,
      mounts,
    }
    host.state.snapshots.put(`${record.name}/${name}`, item)
    return snapshotOf(info, item)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    const cleaning = operation.withSignal(AbortSignal.timeout(30_000))
    await snapshots.remove(record.name, name, cleaning.context)
    throw error
  }
}

/** Left by a holm that was killed; nobody else works on this environment now. */
async function removeDrafts(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names.filter((each) => each.startsWith('.draft-')))
    await rm(join(parent, name), { recursive: true, force: true })
}

async function saveFiles(
  host: HostContext,
  { record, operation }: Found,
  draft: string,
): Promise<SnapshotRecord['mounts']> {
  const mounts = record.details.spec ? writableMounts(record.details.spec) : []
  if (mounts.length === 0) return []
  await mkdir(draft, { recursive: true, mode: 0o700 })
  return operation.step('files', () => saveMounts({ host, operation }, mounts, draft))
}

function snapshotOf(info: SnapshotInfo, item: SnapshotRecord | undefined): Snapshot {
  return {
    environment: info.environment,
    name: info.name,
    createdAt: info.createdAt,
    includesMemory: info.includesMemory,
    automatic: item?.automatic ?? false,
    files: item?.mounts?.map(({ source, sizeBytes }) => ({ source, sizeBytes })),
    sizeBytes: info.sizeBytes,
  }
}

async function list(
  host: HostContext,
  environment: string | undefined,
  options: Options,
): Promise<Snapshot[]> {
  const { record, provider, operation } = await findEnvironment(host, environment, options)
  const snapshots = requireFacet(provider, 'snapshots', providersWith(host, 'snapshots'))
  const infos = await snapshots.list(record.name, operation.context)
  return infos
    .map((info) => snapshotOf(info, host.state.snapshots.get(`${record.name}/${info.name}`)))
    .toSorted((one, other) => one.createdAt.localeCompare(other.createdAt))
}

async function restore(
  host: HostContext,
  { environment, name }: { readonly environment: string | undefined; readonly name: string },
  options: Options & { readonly files?: boolean },
): Promise<RestoreResult> {
  const found = await findEnvironment(host, environment, options)
  const { record, provider, operation } = found
  return host.state.locks.hold(record.name, 'restore', async () => {
    const snapshots = requireFacet(provider, 'snapshots', providersWith(host, 'snapshots'))
    const info = (await snapshots.list(record.name, operation.context)).find((each) => each.name === name)
    if (info === undefined) throw missing(record.name, name)
    const item = host.state.snapshots.get(`${record.name}/${name}`)
    const before = `before-restore-${timeName()}-${randomBytes(2).toString('hex')}`
    await save(host, found, {
      name: before,
      automatic: true,
      ...(options.files === undefined ? {} : { files: options.files }),
    })
    const state = await restoreAll({
      host,
      operation,
      environment: record.name,
      provider: provider.id,
      snapshot: name,
      folder: join(snapshotsFolder(host, record.name), name),
      mounts: options.files === false ? [] : (item?.mounts ?? []),
    })
    operation.emit({ type: 'state', environment: record.name, status: state.status, message: 'restored' })
    return { environment: infoOf(state, record), restored: snapshotOf(info, item), before }
  })
}

function missing(environment: string, name: string): HolmError {
  return new HolmError('HOLM_USAGE', `environment ${environment} has no snapshot ${name}`, {
    hint: `See what there is with: holm snapshot list ${environment}`,
    details: { environment, name },
  })
}

async function remove(
  host: HostContext,
  { environment, name }: { readonly environment: string | undefined; readonly name: string },
  options: Options,
): Promise<{ environment: string; name: string }> {
  const { record, provider, operation } = await findEnvironment(host, environment, options)
  return host.state.locks.hold(record.name, 'snapshot', async () => {
    const snapshots = requireFacet(provider, 'snapshots', providersWith(host, 'snapshots'))
    const there = (await snapshots.list(record.name, operation.context)).some((each) => each.name === name)
    if (!there && !host.state.snapshots.get(`${record.name}/${name}`)) throw missing(record.name, name)
    await operation.step('remove', () => snapshots.remove(record.name, name, operation.context))
    host.state.snapshots.remove(`${record.name}/${name}`)
    if (namePattern.test(name))
      await rm(join(snapshotsFolder(host, record.name), name), { recursive: true, force: true })
    return { environment: record.name, name }
  })
}

/** Everything of the data folder that belonged to an environment that is gone. */
export async function forgetCopies(
  host: HostContext,
  { name, owned = [] }: { readonly name: string; readonly owned?: readonly string[] | undefined },
): Promise<void> {
  for (const { name: snapshot } of host.state.snapshots.list(`${name}/`))
    host.state.snapshots.remove(`${name}/${snapshot}`)
  host.state.journals.remove(name)
  for (const path of [snapshotsFolder(host, name), ...owned])
    await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
      if (isHolmError(error)) throw error
      host.operation(name, {}).warn(`${path} could not be removed: ${(error as Error).message}`)
    })
}

/** `host.snapshots` of the SDK. */
export const snapshotsApi = { create, list, restore, remove } satisfies {
  [Key in keyof HostApi['snapshots']]: unknown
}
