import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentState, ProviderContext, SnapshotInfo, SnapshotsFacet } from '@holm/core'
import { findMonitor } from './container.ts'
import { endContainer } from './end.ts'
import { tellFullDisk } from './files-on-disk.ts'
import { canFreeze, finishRestore, freezeUpper, newLayerName, removeUnusedLayers } from './layers.ts'
import { loadWhole } from './lifecycle.ts'
import { leaveNetwork } from './network.ts'
import { replaceFile, saveRecord, type LxcRecord } from './record.ts'
import type { Session } from './session.ts'
import { loadSnapshots, snapshotFile, snapshotFolder, type SnapshotFile } from './snapshot-files.ts'
import { loadState } from './state.ts'
import { copyTree, discardTree, removeTree } from './trees.ts'

const waitMs = 60_000
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** Of a stopped environment a snapshot costs a rename; of a running one a copy of what it has written. */
export function createSnapshots(session: Session): SnapshotsFacet {
  const locked = async <T>(name: string, ctx: ProviderContext, work: () => Promise<T>): Promise<T> => {
    await session.require(name)
    return tellFullDisk(() => session.locked(name, { waitMs, ctx }, work))
  }
  return {
    create: (name, snapshot, ctx) => {
      assertName(snapshot)
      return locked(name, ctx, () => createSnapshot(session, { name, snapshot }, ctx))
    },
    list: async (name) => {
      await session.require(name)
      return (await loadSnapshots(session.folder(name))).map(({ info }) => info)
    },
    restore: (name, snapshot, ctx) => {
      assertName(snapshot)
      return locked(name, ctx, () => restoreSnapshot(session, { name, snapshot }, ctx))
    },
    remove: (name, snapshot, ctx) => {
      assertName(snapshot)
      return locked(name, ctx, () => removeSnapshot(session, { name, snapshot }, ctx))
    },
  }
}

interface Which {
  readonly name: string
  readonly snapshot: string
}

function assertName(snapshot: string): void {
  if (namePattern.test(snapshot)) return
  throw new HolmError('HOLM_NAME_INVALID', `"${snapshot}" is no name of a snapshot`, {
    hint: 'Use letters, digits, dots and hyphens.',
  })
}

async function find(session: Session, { name, snapshot }: Which): Promise<SnapshotFile | undefined> {
  return (await loadSnapshots(session.folder(name))).find(({ info }) => info.name === snapshot)
}

async function createSnapshot(session: Session, which: Which, ctx: ProviderContext): Promise<SnapshotInfo> {
  const { name, snapshot } = which
  if (await find(session, which)) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `environment ${name} has a snapshot "${snapshot}" already`,
      {
        hint: 'Choose another name, or remove that snapshot first.',
      },
    )
  }
  const folder = session.folder(name)
  const record = await loadWhole(session, name, ctx)
  await copyVolumes(session, { from: folder, to: volumesOf(folder, snapshot) }, ctx)
  const info: SnapshotInfo = {
    name: snapshot,
    environment: name,
    createdAt: new Date().toISOString(),
    includesMemory: false,
  }
  const file = (layers: readonly string[]): string =>
    JSON.stringify({ info, layering: record.layering, layers } satisfies SnapshotFile)
  await mkdir(snapshotFolder(folder), { recursive: true, mode: 0o711 })
  if (findMonitor(folder) === undefined && canFreeze(record)) {
    const frozen = await freezeUpper(session, record)
    await replaceFile(snapshotFile(folder, snapshot), file(frozen.layers))
    return info
  }
  const draft = path.join(snapshotFolder(folder), `.draft-${randomBytes(4).toString('hex')}`)
  const layer = newLayerName(session, name)
  try {
    await copyTree({ source: path.join(folder, ownFolder(record)), target: draft }, session.trees, ctx)
    // Named before it is there: what is not there is no snapshot, and what is there without a name would stay for ever.
    await replaceFile(
      snapshotFile(folder, snapshot),
      file(record.layering === 'copy' ? [layer] : [layer, ...record.layers]),
    )
    await mkdir(session.layout.layers, { recursive: true, mode: 0o711 })
    await rename(draft, layer)
  } catch (error) {
    await removeTree(draft, session.trees, ctx)
    await rm(snapshotFile(folder, snapshot), { force: true })
    throw error
  }
  return info
}

/** Where what the environment has written lies. */
export function ownFolder({ layering }: Pick<LxcRecord, 'layering'>): string {
  return layering === 'copy' ? 'root' : 'upper'
}

function volumesOf(folder: string, snapshot: string): string {
  return path.join(snapshotFolder(folder), `${snapshot}.volumes`)
}

/** Anonymous volumes are files of the environment, too. */
async function copyVolumes(
  session: Session,
  { from, to }: { readonly from: string; readonly to: string },
  ctx: ProviderContext,
): Promise<void> {
  const source = path.join(from, 'volumes')
  await removeTree(to, session.trees, ctx)
  if (!existsSync(source) || (await readdir(source)).length === 0) return
  await mkdir(path.dirname(to), { recursive: true, mode: 0o711 })
  await copyTree({ source, target: to }, session.trees, ctx)
}

async function restoreSnapshot(
  session: Session,
  which: Which,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const { name, snapshot } = which
  const found = await find(session, which)
  if (found === undefined) {
    throw new HolmError('HOLM_USAGE', `environment ${name} has no snapshot "${snapshot}"`, {
      hint: `Run \`holm snapshot list ${name}\`.`,
    })
  }
  const folder = session.folder(name)
  const record = await loadWhole(session, name, ctx)
  await endContainer(session, record, { graceMs: 0, ctx })
  await leaveNetwork(session, name, ctx)
  const marked: LxcRecord = { ...record, restoring: found.layers }
  await saveRecord(folder, marked)
  const restored = await finishRestore(session, marked, ctx)
  await restoreVolumes(session, { folder, saved: volumesOf(folder, snapshot) }, ctx)
  await removeUnusedLayers(session, ctx)
  return loadState(restored, folder)
}

async function restoreVolumes(
  session: Session,
  { folder, saved }: { readonly folder: string; readonly saved: string },
  ctx: ProviderContext,
): Promise<void> {
  const target = path.join(folder, 'volumes')
  if (!existsSync(saved) && !existsSync(target)) return
  await discardTree(target, session.trash, ctx)
  if (existsSync(saved)) await copyTree({ source: saved, target }, session.trees, ctx)
}

async function removeSnapshot(session: Session, which: Which, ctx: ProviderContext): Promise<void> {
  const { name, snapshot } = which
  const folder = session.folder(name)
  await rm(snapshotFile(folder, snapshot), { force: true })
  await removeTree(volumesOf(folder, snapshot), session.trees, ctx)
  await removeUnusedLayers(session, ctx)
}
