import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { SnapshotInfo } from '@holm/core'
import { readIfThere, type Layering } from './record.ts'

/** What is stored of a snapshot: the layers that its root stands on, which nothing changes any more. */
export interface SnapshotFile {
  readonly info: SnapshotInfo
  readonly layering: Layering
  /** Top first. With a copy: one folder with the whole root. */
  readonly layers: readonly string[]
}

export function snapshotFolder(folder: string): string {
  return path.join(folder, 'snapshots')
}

export function snapshotFile(folder: string, snapshot: string): string {
  return path.join(snapshotFolder(folder), `${snapshot}.json`)
}

/** All snapshots of an environment's folder, oldest first. */
export async function loadSnapshots(folder: string): Promise<SnapshotFile[]> {
  const names = await readdir(snapshotFolder(folder)).catch(() => [])
  const texts = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map((name) => readIfThere(path.join(snapshotFolder(folder), name))),
  )
  return (
    texts
      .filter((text) => text !== undefined)
      .map((text) => JSON.parse(text) as SnapshotFile)
      // Its maker was killed before the top layer had its place.
      .filter(({ layers }) => existsSync(layers[0] ?? ''))
      .toSorted((one, other) => one.info.createdAt.localeCompare(other.info.createdAt))
  )
}
