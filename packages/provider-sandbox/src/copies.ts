import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { HolmError } from '@holm/core'
import type { CloneFacet, EnvironmentSpec, ProviderContext, SnapshotInfo, SnapshotsFacet } from '@holm/core'
import { removeTree } from './folders.ts'
import { createWith, draftRecord, endHolder } from './lifecycle.ts'
import { loadShared, shareFiles, sweepLayers } from './layers.ts'
import { withLock, withPatientLock } from './lock.ts'
import { saveRecord, type SandboxRecord } from './record.ts'
import { assertSupported, listIgnored } from './requirements.ts'
import { copyTree } from './rootfs.ts'
import type { Session } from './session.ts'
import { stateOf, stoppedRecord } from './state.ts'

/** Folders that hold the files an environment has written. */
function kept(record: SandboxRecord): readonly string[] {
  if (record.base.kind === 'host') return ['home', 'volumes']
  return [record.layer === 'overlay' ? 'upper' : 'root', 'volumes']
}

async function copyFiles(
  record: SandboxRecord,
  from: string,
  options: { readonly to: string; readonly ctx: ProviderContext },
): Promise<void> {
  for (const name of kept(record)) {
    const source = path.join(from, name)
    if (existsSync(source)) await copyTree(source, path.join(options.to, name), options.ctx)
  }
}

export function createClone(session: Session): CloneFacet {
  return {
    clone: async (name, spec, ctx) => {
      await session.require(name)
      assertSupported(spec)
      for (const each of listIgnored(spec, session.options.caller)) ctx.log.warn(`${spec.name}: ${each}`)
      const folder = session.folder(name)
      // For as long as the clone is not written down, the origin keeps the layers they share.
      return withPatientLock({ folder, name, signal: ctx.signal }, async () => {
        const source = await shareWhenStopped(await session.require(name), folder)
        return createWith(session, cloneDraft(session, source, spec), (target) =>
          fillClone(source, { from: folder, to: target, draft: cloneDraft(session, source, spec) }, ctx),
        )
      })
    },
  }
}

/** Nothing mounts the files of one that has no holder. */
function shareWhenStopped(record: SandboxRecord, folder: string): Promise<SandboxRecord> {
  const idle = record.holder === undefined && record.layer === 'overlay'
  return idle ? shareFiles(record, folder) : Promise.resolve(record)
}

/** The files decide: the base and how its layer is made are those of the source. */
function cloneDraft(session: Session, source: SandboxRecord, spec: EnvironmentSpec): SandboxRecord {
  return {
    ...draftRecord(session, { ...spec, base: source.base }, source.backend),
    layer: source.layer,
    ...(source.lower === undefined ? {} : { lower: source.lower }),
    ...(source.shared === undefined ? {} : { shared: source.shared }),
  }
}

/** What an anonymous volume of the origin holds is not cloned. */
async function fillClone(
  source: SandboxRecord,
  { from, to, draft }: { readonly from: string; readonly to: string; readonly draft: SandboxRecord },
  ctx: ProviderContext,
): Promise<SandboxRecord> {
  for (const name of kept(source).filter((each) => each !== 'volumes'))
    if (existsSync(path.join(from, name))) await copyTree(path.join(from, name), path.join(to, name), ctx)
  await completeLayer(source, to)
  return draft
}

async function completeLayer(record: SandboxRecord, folder: string): Promise<void> {
  if (record.base.kind === 'host') return
  const { symlink } = await import('node:fs/promises')
  for (const name of ['upper', 'work', 'root'])
    await mkdir(path.join(folder, name), { recursive: true, mode: 0o755 })
  if (record.lower !== undefined) await symlink(record.lower, path.join(folder, 'lower'))
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

export function createSnapshots(session: Session): SnapshotsFacet {
  const placeOf = (name: string, snapshot: string): string => {
    if (namePattern.test(snapshot)) return path.join(session.folder(name), 'snapshots', snapshot)
    throw new HolmError('HOLM_NAME_INVALID', `"${snapshot}" is no name of a snapshot`, {
      hint: 'Use letters, digits, dots and hyphens.',
    })
  }
  return {
    create: async (name, snapshot, ctx) => {
      const record = await session.require(name)
      const place = placeOf(name, snapshot)
      return withLock(session.folder(name), name, () =>
        createSnapshot(record, { place, folder: session.folder(name), snapshot }, ctx),
      )
    },
    list: async (name) => {
      await session.require(name)
      return listSnapshots(path.join(session.folder(name), 'snapshots'))
    },
    restore: async (name, snapshot, ctx) => {
      await session.require(name)
      const folder = session.folder(name)
      const place = placeOf(name, snapshot)
      return withLock(folder, name, async () => {
        if (!existsSync(place)) throw missing(name, snapshot)
        const record = await session.require(name)
        await endHolder(record, 0)
        const stopped: SandboxRecord = { ...stoppedRecord(record), shared: await loadShared(place) }
        await restoreFiles(stopped, { place, folder }, ctx)
        await sweepLayers(session.layout)
        return stateOf(stopped)
      })
    },
    remove: async (name, snapshot) => {
      await session.require(name)
      const place = placeOf(name, snapshot)
      const away = path.join(path.dirname(place), `.gone-${randomBytes(4).toString('hex')}`)
      await withLock(session.folder(name), name, async () => {
        if (!existsSync(place)) return
        await rename(place, away)
        await removeTree(away)
        await sweepLayers(session.layout)
      })
    },
  }
}

function missing(name: string, snapshot: string): HolmError {
  return new HolmError('HOLM_USAGE', `environment ${name} has no snapshot "${snapshot}"`, {
    hint: `Run \`holm snapshot list ${name}\`.`,
  })
}

interface SnapshotPlaces {
  readonly place: string
  readonly folder: string
}

async function createSnapshot(
  record: SandboxRecord,
  options: SnapshotPlaces & { readonly snapshot: string },
  ctx: ProviderContext,
): Promise<SnapshotInfo> {
  const { place, folder, snapshot } = options
  if (existsSync(place)) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `environment ${record.name} has a snapshot "${snapshot}" already`,
      { hint: 'Choose another name, or remove that snapshot first.' },
    )
  }
  const draft = path.join(path.dirname(place), `.draft-${randomBytes(4).toString('hex')}`)
  const info: SnapshotInfo = {
    name: snapshot,
    environment: record.name,
    createdAt: new Date().toISOString(),
    includesMemory: false,
  }
  await mkdir(draft, { recursive: true, mode: 0o755 })
  try {
    const saved = await shareWhenStopped(record, folder)
    await writeFile(path.join(draft, 'shared.json'), JSON.stringify(saved.shared ?? []))
    await copyFiles(saved, folder, { to: draft, ctx })
    await writeFile(path.join(draft, 'snapshot.json'), JSON.stringify(info))
    await rename(draft, place)
  } catch (error) {
    await removeTree(draft)
    throw error
  }
  return info
}

async function listSnapshots(folder: string): Promise<SnapshotInfo[]> {
  const names = await readdir(folder).catch(() => [])
  const shown = names.filter((name) => !name.startsWith('.'))
  const infos = await Promise.all(
    shown.map(
      async (name) =>
        JSON.parse(await readFile(path.join(folder, name, 'snapshot.json'), 'utf8')) as SnapshotInfo,
    ),
  )
  return infos.toSorted((one, other) => one.createdAt.localeCompare(other.createdAt))
}

/** Copies first, then swaps folder by folder: what is interrupted leaves each folder whole. */
async function restoreFiles(
  record: SandboxRecord,
  { place, folder }: SnapshotPlaces,
  ctx: ProviderContext,
): Promise<void> {
  const draft = path.join(folder, `restore-${randomBytes(4).toString('hex')}`)
  await mkdir(draft)
  try {
    await copyFiles(record, place, { to: draft, ctx })
    await saveRecord(folder, record)
    for (const name of kept(record)) {
      if (existsSync(path.join(folder, name)))
        await rename(path.join(folder, name), path.join(draft, `old-${name}`))
      if (existsSync(path.join(draft, name))) await rename(path.join(draft, name), path.join(folder, name))
    }
  } finally {
    await removeTree(draft)
  }
}
