import { mkdir, readdir, rm } from 'node:fs/promises'
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type {
  EnvironmentSpec,
  EnvironmentState,
  ProviderContext,
  RemoveOptions,
  StopOptions,
} from '@holm/core'
import { findMonitor } from './container.ts'
import { endContainer } from './end.ts'
import { resolveInside } from './files-on-disk.ts'
import { finishFreeze, finishRestore, layersOf, makeLayer, removeUnusedLayers, tryOverlay } from './layers.ts'
import { volumeFolder } from './layout.ts'
import { leaveNetwork } from './network.ts'
import { identifySelf, isAlive, loadBootId } from './processes.ts'
import {
  claimFolder,
  loadRecord,
  readIfThere,
  replaceFile,
  saveRecord,
  type Layering,
  type LxcRecord,
} from './record.ts'
import type { Session } from './session.ts'
import { startContainer } from './start.ts'
import { absentState, loadState } from './state.ts'
import { prepareBase } from './store.ts'
import { copyTree, discardTree, removeTree, sweepTrash } from './trees.ts'

const waitMs = 20_000

/** The record as the very first step writes it. */
export function draftRecord(session: Session, spec: EnvironmentSpec): LxcRecord {
  const { name, labels, base, hostname, user, main, env, mounts, ports, network, resources, security } = spec
  return {
    version: 1,
    name,
    status: 'creating',
    creator: identifySelf(),
    createdAt: new Date().toISOString(),
    labels,
    options: spec.options['lxc'] ?? {},
    layering: 'overlay',
    layers: [],
    ...(session.idMap === undefined ? {} : { idMap: session.idMap }),
    base,
    hostname,
    ...(user === undefined ? {} : { user }),
    main,
    env,
    mounts,
    ports,
    network,
    resources,
    security,
  }
}

interface Fill {
  readonly ctx: ProviderContext
  readonly fill: (folder: string) => Promise<LxcRecord>
}

/** Claims the name, then lets `fill` make the files; what fails is removed again. */
export async function createWith(session: Session, draft: LxcRecord, fill: Fill): Promise<EnvironmentState> {
  return (await claim(session, draft, fill.ctx)) ?? fillClaimed(session, draft, fill)
}

/** Undefined when the name is ours now; else the state of the same environment, which was there already. */
export async function claim(
  session: Session,
  draft: LxcRecord,
  ctx: ProviderContext,
): Promise<EnvironmentState | undefined> {
  while (!(await claimFolder(session.layout, draft))) {
    const found = await resolveTaken(session, draft, ctx)
    if (found !== undefined) return found
  }
  return undefined
}

export async function fillClaimed(
  session: Session,
  draft: LxcRecord,
  { ctx, fill }: Fill,
): Promise<EnvironmentState> {
  const folder = session.folder(draft.name)
  try {
    const record: LxcRecord = { ...(await fill(folder)), status: 'ready' }
    assertNotAborted(ctx.signal)
    await saveRecord(folder, record)
    return await loadState(record, folder)
  } catch (error) {
    await discardTree(folder, session.trash, ctx)
    throw error
  }
}

/** The state when the same environment is there; undefined when a dead creation was cleared away. */
async function resolveTaken(
  session: Session,
  draft: LxcRecord,
  ctx: ProviderContext,
): Promise<EnvironmentState | undefined> {
  const { name } = draft
  const folder = session.folder(name)
  const found = await loadRecord(folder).catch((error: unknown) => {
    if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return undefined
    throw error
  })
  if (found === undefined) return undefined
  if (!sameLabels(found.labels, draft.labels)) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `environment "${name}" exists already, made from something else`,
      {
        hint: 'Choose another name, or remove the other environment first.',
      },
    )
  }
  if (found.status === 'ready') return loadState(found, folder)
  if (isAlive(found.creator)) throw creating(name)
  await discardTree(folder, session.trash, ctx)
  return undefined
}

function creating(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is creating environment ${name}`, {
    hint: 'Wait until it has finished, then try again.',
  })
}

function sameLabels(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key])
}

/** The files of a new environment: an empty layer above the base, or a copy of it. */
export async function fillFromBase(
  session: Session,
  draft: LxcRecord,
  ctx: ProviderContext,
): Promise<LxcRecord> {
  assertNotAborted(ctx.signal)
  const { base } = draft
  if (base.kind !== 'rootfs' && base.kind !== 'folder')
    throw new HolmError('HOLM_BUG', `base kind ${base.kind}`)
  const folder = session.folder(draft.name)
  const lower = await prepareBase(base, { ...session.trees, cache: session.settings.paths.cache }, ctx)
  assertNotAborted(ctx.signal)
  await makeLayer(folder, [lower])
  const layering = await rememberLayering(session, { folder, lower }, ctx)
  const record: LxcRecord = { ...draft, layers: [lower], layering }
  if (layering === 'copy')
    await copyTree({ source: lower, target: path.join(folder, 'root') }, session.trees, ctx)
  await makeMountPoints(folder, record)
  return record
}

/** Folders that LXC mounts the kernel's own on, where the base has none. */
async function makeMountPoints(folder: string, record: LxcRecord): Promise<void> {
  const layers = layersOf(record, folder)
  for (const name of ['proc', 'sys', 'dev']) {
    if (resolveInside(layers, name).kind === undefined)
      await mkdir(path.join(layers[0] ?? '', name), { mode: 0o755 })
  }
}

/** What a trial told, for the rest of this boot: it costs as much as a start. */
async function rememberLayering(
  session: Session,
  { folder, lower }: { readonly folder: string; readonly lower: string },
  ctx: ProviderContext,
): Promise<Layering> {
  const key = `${loadBootId()} ${statSync(folder).dev} ${statSync(lower).dev}`
  const file = path.join(session.layout.root, 'layering.json')
  const known = JSON.parse((await readIfThere(file)) ?? '{}') as Readonly<Record<string, Layering>>
  const found = known[key]
  if (found !== undefined) return found
  const layering = await tryOverlay(folder, session.trees, ctx)
  await replaceFile(file, JSON.stringify({ ...known, [key]: layering }))
  return layering
}

export async function startEnvironment(
  session: Session,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const folder = session.folder(name)
  await session.require(name)
  return session.locked(name, { waitMs, ctx }, async () => {
    const record = await loadWhole(session, name, ctx)
    const state = await loadState(record, folder)
    if (state.status === 'running') return state
    assertReady(record)
    if (state.status === 'paused') return state
    if (findMonitor(folder) !== undefined) await endContainer(session, record, { graceMs: 0, ctx })
    await startContainer(session, record, ctx)
    return loadState(record, folder)
  })
}

/** The record, with a change of layers that a kill interrupted brought to its end. The caller holds the lock. */
export async function loadWhole(session: Session, name: string, ctx: ProviderContext): Promise<LxcRecord> {
  const record = await session.require(name)
  if (record.restoring !== undefined) return finishRestore(session, record, ctx)
  return record.freezing === undefined ? record : finishFreeze(session, record)
}

export function assertReady(record: LxcRecord): void {
  if (record.status === 'ready') return
  if (isAlive(record.creator)) throw creating(record.name)
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `environment ${record.name} was never finished`, {
    hint: `Run \`holm destroy ${record.name}\`, then create it again.`,
  })
}

export async function stopEnvironment(
  session: Session,
  name: string,
  { options, ctx }: { readonly options: StopOptions; readonly ctx: ProviderContext },
): Promise<EnvironmentState> {
  const folder = session.folder(name)
  if ((await loadRecord(folder)) === undefined) return absentState(name)
  return session.locked(name, { waitMs, ctx }, async () => {
    const record = await loadRecord(folder)
    if (record === undefined) return absentState(name)
    await endContainer(session, record, { graceMs: options.graceMs, ctx })
    await leaveNetwork(session, name, ctx)
    return loadState(record, folder)
  })
}

export async function removeEnvironment(
  session: Session,
  name: string,
  { options, ctx }: { readonly options: RemoveOptions; readonly ctx: ProviderContext },
): Promise<void> {
  const folder = session.folder(name)
  if (!existsSync(folder)) return sweep(session, ctx)
  await session.locked(name, { waitMs, ctx }, async () => {
    const record = await loadRecord(folder).catch((error: unknown) => {
      if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return undefined
      throw error
    })
    if (record?.status === 'creating' && isAlive(record.creator)) throw creating(name)
    await endContainer(session, record ?? { name, main: 'hold' }, { graceMs: 0, ctx })
    await leaveNetwork(session, name, ctx)
    await discardTree(folder, session.trash, ctx)
    if (options.volumes && record !== undefined) await removeVolumes(session, record, ctx)
  })
  await removeLxcLocks(folder)
  await sweep(session, ctx)
}

/** What killed processes left: files that nobody looks at any more. */
export async function sweep(session: Session, ctx: ProviderContext): Promise<void> {
  await removeUnusedLayers(session, ctx)
  await sweepTrash(session.trash, ctx)
}

/** LXC leaves a folder for its locks, named after ours. */
async function removeLxcLocks(folder: string): Promise<void> {
  await rm(path.join('/run/lxc/lock', folder), { recursive: true, force: true }).catch(() => undefined)
}

/** Named volumes that no other environment of the namespace mounts. */
async function removeVolumes(session: Session, record: LxcRecord, ctx: ProviderContext): Promise<void> {
  const named = (each: LxcRecord): string[] =>
    each.mounts.flatMap((mount) =>
      mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
    )
  const own = named(record)
  if (own.length === 0) return
  const used = new Set((await loadRecords(session)).flatMap(named))
  for (const source of own) {
    if (!used.has(source))
      await removeTree(volumeFolder(session.layout, '', { source, index: 0 }), session.trees, ctx)
  }
}

export async function loadRecords(session: Session): Promise<readonly LxcRecord[]> {
  const names = await readdir(session.layout.environments).catch(() => [])
  const records = await Promise.all(
    names.map((name) => loadRecord(session.folder(name)).catch(() => undefined)),
  )
  return records.filter((record) => record !== undefined)
}
