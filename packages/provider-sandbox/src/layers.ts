import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, readdir, rename, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { isHolmError } from '@holm/core'
import { isMissing, removeTree } from './folders.ts'
import { isName, loadRecord, saveRecord, type Layout, type SandboxRecord } from './record.ts'

/**
 * Files that several environments share, below their own writable layer: a clone or a snapshot of a stopped environment
 * costs the same whatever its size. What was the origin's upper folder is moved here and never written again.
 */

/** An overlay takes its options as one page of text: beyond this depth files are copied. */
const deepest = 40

/** For `lowerdir`, seen from the environment's folder: no path of the user's is in it. */
export function lowerNames({ shared = [] }: Pick<SandboxRecord, 'shared'>): readonly string[] {
  return [...shared.map((id) => `../../layers/${id}`), 'lower']
}

/** Folders of the shared layers, top first. */
export function sharedFolders(record: Pick<SandboxRecord, 'shared'>, folder: string): readonly string[] {
  return (record.shared ?? []).map((id) => path.join(folder, '../../layers', id))
}

/**
 * Makes what the environment has written a shared layer. Only for one that nothing mounts, under its lock. The record is
 * written first and says what shall be: `completeShare` ends what was interrupted.
 */
export async function shareFiles(record: SandboxRecord, folder: string): Promise<SandboxRecord> {
  const { shared = [] } = record
  const isEmpty = (await readdir(path.join(folder, 'upper'))).length === 0
  if (record.layer !== 'overlay' || isEmpty || shared.length >= deepest) return record
  const next = { ...record, shared: [randomBytes(8).toString('hex'), ...shared] }
  await mkdir(path.join(folder, '../../layers'), { recursive: true, mode: 0o700 })
  await saveRecord(folder, next)
  await completeShare(next, folder)
  return next
}

/** Does nothing when all is in place; safe when several processes do it at once. */
export async function completeShare(record: SandboxRecord, folder: string): Promise<void> {
  const [layer] = sharedFolders(record, folder)
  if (layer === undefined) return
  const upper = path.join(folder, 'upper')
  if (!existsSync(layer)) {
    await rename(upper, layer).catch((error: unknown) => {
      if (!isMissing(error)) throw error
    })
  }
  if (existsSync(upper)) return
  const { mode, uid, gid } = await stat(layer)
  await mkdir(upper, { recursive: true })
  await chmod(upper, mode & 0o7777)
  await chown(upper, uid, gid)
}

/** Removes the layers that no environment and no snapshot needs. With a record that cannot be read nothing is removed. */
export async function sweepLayers(layout: Layout): Promise<void> {
  // Listed first: a layer that comes later is nobody's rubbish.
  const found = await readdir(layout.layers).catch(() => [])
  if (found.length === 0) return
  const needed = await listNeeded(layout)
  if (needed === undefined) return
  await mkdir(layout.trash, { recursive: true, mode: 0o700 })
  for (const id of found.filter((each) => !needed.has(each))) {
    const away = path.join(layout.trash, `layer-${id}`)
    const gone = await rename(path.join(layout.layers, id), away).then(
      () => true,
      () => false,
    )
    if (gone) await removeTree(away)
  }
  await rmdir(layout.layers).catch(() => undefined)
}

async function listNeeded(layout: Layout): Promise<ReadonlySet<string> | undefined> {
  const needed = new Set<string>()
  const names = await readdir(layout.environments).catch(() => [])
  try {
    for (const name of names.filter(isName)) {
      const folder = path.join(layout.environments, name)
      for (const id of (await loadRecord(folder))?.shared ?? []) needed.add(id)
      for (const id of await listOfSnapshots(path.join(folder, 'snapshots'))) needed.add(id)
    }
    return needed
  } catch (error) {
    if (isHolmError(error)) return undefined
    throw error
  }
}

async function listOfSnapshots(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const lists = await Promise.all(names.map((name) => loadShared(path.join(folder, name))))
  return lists.flat()
}

/** Layers below the files of a snapshot. */
export async function loadShared(snapshot: string): Promise<readonly string[]> {
  const text = await readFile(path.join(snapshot, 'shared.json'), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '[]'
    throw error
  })
  return JSON.parse(text) as string[]
}
