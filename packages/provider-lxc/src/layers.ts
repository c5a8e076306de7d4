import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import path from 'node:path'
import type { ProviderContext } from '@holm/core'
import { isMissing } from './files-on-disk.ts'
import { asInnerRoot } from './id-map.ts'
import { loadRecord, saveRecord, type Layering, type LxcRecord } from './record.ts'
import { copyTree, discardTree, type TreeOptions } from './trees.ts'
import type { Session } from './session.ts'

/**
 * The root of an environment: `upper` above read-only layers, mounted at `root` where the container alone sees it. The layers are named
 * by links (`lower/0` is the top one), so that no path of this machine has to fit into mount options.
 */
export async function makeLayer(folder: string, layers: readonly string[]): Promise<void> {
  for (const name of ['upper', 'work', 'root'])
    mkdirSync(path.join(folder, name), { recursive: true, mode: 0o755 })
  const links = path.join(folder, 'lower')
  rmSync(links, { recursive: true, force: true })
  mkdirSync(links, { mode: 0o755 })
  for (const [index, layer] of layers.entries()) symlinkSync(layer, path.join(links, String(index)))
}

/** Options of mount, relative to the environment's folder. */
export function overlayOptions(
  count: number,
  how: { readonly rootless: boolean; readonly writable: boolean },
): string {
  const lower = Array.from({ length: count }, (_, index) => `lower/${index}`)
  const places = how.writable
    ? `lowerdir=${lower.join(':')},upperdir=upper,workdir=work`
    : `lowerdir=${['upper', ...lower].join(':')}`
  return `${places}${how.rootless ? ',userxattr' : ''}`
}

/** Run by LXC where the container's mounts belong, just before its root is taken over. */
export function mountScript(record: Pick<LxcRecord, 'layers' | 'idMap'>): string {
  const options = overlayOptions(record.layers.length, {
    rootless: record.idMap !== undefined,
    writable: true,
  })
  return `cd -- "$1" && exec mount -t overlay -o ${options} overlay root\n`
}

export function writeMountScript(folder: string, record: LxcRecord): void {
  writeFileSync(path.join(folder, 'mount-root'), mountScript(record), { mode: 0o644 })
}

/** Words that run what follows with the root mounted at `root` of the folder, seen by nobody else. Run them in that folder. */
export function withRoot(record: LxcRecord, writable: boolean): readonly string[] {
  if (record.layering === 'copy') return asInnerRoot(record.idMap)
  const rootless = record.idMap !== undefined
  const options = overlayOptions(record.layers.length, { rootless, writable })
  const script = 'mount -t overlay -o "$1" overlay root && shift && exec "$@"'
  return [...asInnerRoot(record.idMap), 'unshare', '--mount', 'sh', '-c', script, 'holm-root', options]
}

/** Folders that hold the root's files while it is not mounted, the top one first. */
export function layersOf(record: Pick<LxcRecord, 'layering' | 'layers'>, folder: string): readonly string[] {
  return record.layering === 'copy'
    ? [path.join(folder, 'root')]
    : [path.join(folder, 'upper'), ...record.layers]
}

/** Can overlays be mounted above this layer, for this user? A trial tells. */
export async function tryOverlay(
  folder: string,
  options: TreeOptions,
  ctx: ProviderContext,
): Promise<Layering> {
  const flags = overlayOptions(1, { rootless: options.idMap !== undefined, writable: true })
  const words = ['unshare', '--mount', 'mount', '-t', 'overlay', '-o', flags, 'overlay', 'root']
  const { code, stderr } = await ctx.runner.run([...asInnerRoot(options.idMap), ...words], {
    cwd: folder,
    env: options.env,
    signal: ctx.signal,
  })
  if (code === 0) return 'overlay'
  ctx.log.info(`overlay is not possible here (${stderr.trim()}): the base is copied`)
  return 'copy'
}

/** More would not fit into the options of one mount. */
const layerLimit = 60

/**
 * Turns what a stopped environment has written into a read-only layer that others may stand on, and puts an empty one above it. Costs a
 * rename. A kill in between is repaired by `finishFreeze`.
 */
export async function freezeUpper(session: Session, record: LxcRecord): Promise<LxcRecord> {
  const folder = session.folder(record.name)
  const written = await readdir(path.join(folder, 'upper'))
  if (written.length === 0) return record
  const layer = newLayerName(session, record.name)
  await mkdir(session.layout.layers, { recursive: true, mode: 0o711 })
  const marked = { ...record, freezing: layer }
  await saveRecord(folder, marked)
  await rename(path.join(folder, 'upper'), layer)
  return finishFreeze(session, marked)
}

/** Whether the own layer can become a shared one: not while it is mounted, and not without end. */
export function canFreeze(record: LxcRecord): boolean {
  return record.layering === 'overlay' && record.layers.length < layerLimit
}

export async function finishFreeze(session: Session, record: LxcRecord): Promise<LxcRecord> {
  const { freezing, ...rest } = record
  if (freezing === undefined) return record
  const folder = session.folder(record.name)
  const done = existsSync(freezing)
  const next = done ? { ...rest, layers: [freezing, ...record.layers] } : rest
  if (done) await makeLayer(folder, next.layers)
  await saveRecord(folder, next)
  return next
}

/** Puts an environment on other layers, for good. May be done again from the start at any point. */
export async function finishRestore(
  session: Session,
  record: LxcRecord,
  ctx: ProviderContext,
): Promise<LxcRecord> {
  const { restoring, freezing: _freezing, ...rest } = record
  if (restoring === undefined) return record
  const folder = session.folder(record.name)
  const own = path.join(folder, record.layering === 'copy' ? 'root' : 'upper')
  await discardTree(own, session.trash, ctx)
  const [top = ''] = restoring
  if (record.layering === 'copy') await copyTree({ source: top, target: own }, session.trees, ctx)
  const next = record.layering === 'copy' ? rest : { ...rest, layers: restoring }
  await makeLayer(folder, next.layers)
  await saveRecord(folder, next)
  return next
}

/** A path for a new shared layer. */
export function newLayerName(session: Session, name: string): string {
  return path.join(session.layout.layers, `${name}-${randomBytes(6).toString('hex')}`)
}

/**
 * Removes shared layers that nothing stands on, also those that a killed process left. The layers are listed before what stands on them:
 * each is named in a record before it is there.
 */
export async function removeUnusedLayers(session: Session, ctx: ProviderContext): Promise<void> {
  const { layers } = session.layout
  if ((await listFolder(layers)).length === 0) return
  await session.lockedLayers(ctx, async () => {
    const found = (await listFolder(layers)).map((name) => path.join(layers, name))
    const used = new Set(await listUsedLayers(session))
    for (const layer of found) if (!used.has(layer)) await discardTree(layer, session.trash, ctx)
  })
}

async function listFolder(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
}

/** Every layer that a record stands on, or is about to. */
export function layersNamed({ layers, freezing, restoring }: LxcRecord): string[] {
  return [...layers, ...(freezing === undefined ? [] : [freezing]), ...(restoring ?? [])]
}

async function listUsedLayers(session: Session): Promise<string[]> {
  const names = await listFolder(session.layout.environments)
  const each = await Promise.all(
    names.map(async (name) => {
      const folder = session.folder(name)
      const record = await loadRecord(folder).catch(() => undefined)
      const snapshots = await session.listSnapshotLayers(folder)
      return [...(record ? layersNamed(record) : []), ...snapshots]
    }),
  )
  return each.flat()
}
