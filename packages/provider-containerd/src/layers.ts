import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { SnapshotMount } from './api.ts'

/** Pure: the folders that a snapshot is made of, the uppermost first. They can be read without mounting anything. */
export function layerFolders(mounts: readonly SnapshotMount[]): readonly string[] {
  return mounts.flatMap(({ type, source, options }) => {
    if (type !== 'overlay') return [source]
    const value = (key: string): string | undefined =>
      options.find((option) => option.startsWith(`${key}=`))?.slice(key.length + 1)
    return [value('upperdir') ?? [], value('lowerdir')?.split(':') ?? []].flat()
  })
}

/** The folder that takes what an environment writes; it holds nothing but that. */
export function upperFolder(mounts: readonly SnapshotMount[]): string {
  const [mount] = mounts
  const option = mount?.options.find((each) => each.startsWith('upperdir='))
  if (option !== undefined) return option.slice('upperdir='.length)
  throw new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `the snapshot is no overlay but ${mount?.type ?? 'nothing'}`,
    {
      hint: 'Use containerd’s overlayfs snapshotter.',
    },
  )
}

/** Where a file or folder is in the layers, without following links; undefined when it is not there or was removed. */
export async function findInLayers(
  mounts: readonly SnapshotMount[],
  inner: string,
): Promise<string | undefined> {
  for (const folder of layerFolders(mounts)) {
    const real = path.join(folder, inner)
    const found = await lstat(real).catch(() => undefined)
    // A device 0:0 is how overlayfs keeps that something was removed.
    if (found?.isCharacterDevice() && found.rdev === 0) return undefined
    if (found) return real
  }
  return undefined
}
