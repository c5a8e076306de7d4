import { HolmError, isHolmError } from '@holm/core'
import type { CallOptions, EnvironmentInfo, HostApi, ServiceSpec } from '@holm/core'
import type { RenameOptions, RenamePlan } from '../api.ts'
import { environmentOf, findRecord, type WorkspaceContext } from '../context.ts'
import { assertWorkspaceName } from '../names.ts'
import { presentPlace } from '../place.ts'
import type { WorkspaceRecord } from '../record.ts'
import { assertFree } from '../worktree.ts'
import { assertUnlocked, renamedRecord } from './places.ts'

/** Refuses names that cannot be meant, before anything else is looked at. */
export function assertNames(
  { records }: WorkspaceContext,
  { name, to }: { readonly name: string; readonly to: string },
): WorkspaceRecord {
  const record = findRecord(records, name)
  assertWorkspaceName(to)
  if (to !== name) return record
  throw new HolmError('HOLM_USAGE', `the workspace has the name ${name} already`, {
    hint: `Choose another name: holm workspace rename ${name} NAME`,
    details: { name },
  })
}

/** What a rename does, with nothing changed yet; throws what stands in its way. */
export async function planRename(
  context: WorkspaceContext,
  record: WorkspaceRecord,
  { to, ...options }: CallOptions & { readonly to: string },
): Promise<RenamePlan> {
  const { git, host } = context
  const { name } = record
  // An interrupted one is seen to first, by the rename itself.
  if (record.renaming !== undefined) return { name, to, stops: false, lost: [] }
  const next = renamedRecord(record, to)
  if (record.phase === 'creating') throw halfMade(record)
  const place = presentPlace(record)
  await assertNameFree(context, to, options)
  await assertFree(git, next)
  assertUnlocked(place)
  const environment = await environmentOf(host, name, options)
  // One that sleeps would be woken by its next use.
  const stops =
    environment?.status === 'running' ||
    environment?.status === 'paused' ||
    host.idle.uses(name)?.asleep === true
  const lost = environment === undefined ? [] : await lossesOf(host, { record, environment }, options)
  return { name, to, stops, lost }
}

function halfMade({ name }: WorkspaceRecord): HolmError {
  return new HolmError('HOLM_WORKSPACE_CONFLICT', `${name} is half-made`, {
    hint: `Remove what is left of it: holm workspace delete ${name}`,
    details: { name },
  })
}

async function assertNameFree(
  { records, host }: WorkspaceContext,
  to: string,
  options: CallOptions,
): Promise<void> {
  const taken = records.get(to)
  if (taken !== undefined) {
    throw new HolmError(
      'HOLM_WORKSPACE_CONFLICT',
      `the workspace ${to} exists already, of ${taken.repository}`,
      { hint: 'Choose another name.', details: { name: to, repository: taken.repository } },
    )
  }
  if ((await environmentOf(host, to, options)) === undefined) return
  throw new HolmError('HOLM_WORKSPACE_CONFLICT', `an environment has the name ${to}`, {
    hint: `Choose another name, or remove it: holm destroy ${to}`,
    details: { name: to },
  })
}

interface Losing {
  readonly record: WorkspaceRecord
  readonly environment: EnvironmentInfo
}

/** What does not come along, in words. */
async function lossesOf(host: HostApi, losing: Losing, options: CallOptions): Promise<string[]> {
  const { record, environment } = losing
  const { name } = record
  const snapshots = await snapshotsOf(host, name, options)
  const { services } = environment
  return [
    ...(await lostInside(host, losing)),
    ...environment.mounts.flatMap((mount) =>
      mount.type === 'volume' && mount.source === undefined && mount.target !== record.synced
        ? [`what lies in ${mount.target}, a volume without a name`]
        : [],
    ),
    ...(environment.mounts.some((mount) => mount.type === 'volume' && mount.own === true)
      ? ['the images and containers of its own Docker engine']
      : []),
    ...services.flatMap((service) => dataOf(service, name)),
    ...(snapshots.length === 0 ? [] : [`its snapshots: ${snapshots.join(', ')}`]),
  ]
}

async function lostInside(
  host: HostApi,
  { record: { synced }, environment: { provider } }: Losing,
): Promise<string[]> {
  const anew = 'it is made anew from its blueprint'
  if (synced !== undefined)
    return [`what was installed inside, and what is not synchronised of ${synced}: ${anew}`]
  const facets = await facetsOf(host, provider)
  if (facets?.includes('clone') !== false) return []
  return [lostWith(provider)]
}

export function lostWith(provider: string): string {
  return `what was installed inside: ${provider} cannot copy environments, and it is made anew from its blueprint`
}

/** Undefined for a provider without a manifest: it says so when it is asked. */
async function facetsOf(host: HostApi, provider: string): Promise<readonly string[] | undefined> {
  try {
    return (await host.providers.show(provider)).facets
  } catch (error) {
    if (isHolmError(error, 'HOLM_PLUGIN_NOT_FOUND')) return undefined
    throw error
  }
}

/** Their volumes have the name of the environment that they belong to. */
function dataOf({ name, container }: ServiceSpec, environment: string): string[] {
  return (container?.mounts ?? []).flatMap((mount) => {
    if (mount.type !== 'volume') return []
    const where =
      mount.source === undefined ? '' : `, which stays in the volume ${environment}-${mount.source}`
    return [`what the service ${name} keeps in ${mount.target}${where}`]
  })
}

async function snapshotsOf(host: HostApi, name: string, options: CallOptions): Promise<string[]> {
  try {
    return (await host.snapshots.list(name, options)).map((snapshot) => snapshot.name)
  } catch (error) {
    if (isHolmError(error, 'HOLM_FACET_UNSUPPORTED')) return []
    throw error
  }
}

/** HOLM_CONFIRMATION_REQUIRED unless nothing is lost, or it may be. */
export function assertMayLose(
  { name, lost }: Pick<RenamePlan, 'name' | 'lost'>,
  { mayLose }: RenameOptions,
): void {
  if (lost.length === 0 || mayLose === true) return
  throw new HolmError('HOLM_CONFIRMATION_REQUIRED', `renaming ${name} loses ${lost.join('; ')}`, {
    hint: 'Pass --yes to go ahead, or keep it first: holm export',
    details: { name, lost },
  })
}
