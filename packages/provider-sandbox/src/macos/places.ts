import path from 'node:path'
import type { SandboxRecord } from '../record.ts'
import { volumeSource } from '../volumes.ts'

/** A folder that the blueprint names by `target`. Nothing is mounted on macOS: it is at `path`, and stays there. */
export interface Place {
  readonly target: string
  readonly path: string
  readonly readonly: boolean
  /** holm makes it; else it is the user's. */
  readonly own: boolean
  /** Emptied by every start. */
  readonly fleeting: boolean
}

export function listPlaces(
  record: SandboxRecord,
  paths: { readonly folder: string; readonly volumes: string },
): Place[] {
  const own = (name: string): string => path.join(paths.folder, name)
  const mounts = record.mounts.map((mount, index): Place => {
    if (mount.type === 'tmpfs')
      return { target: mount.target, path: own(`tmpfs-${index}`), readonly: false, own: true, fleeting: true }
    const place = mount.type === 'bind' ? mount.source : volumeSource(mount.source, index, paths)
    return {
      target: mount.target,
      path: place,
      readonly: mount.readonly,
      own: mount.type === 'volume',
      fleeting: false,
    }
  })
  return [
    { target: record.caller.home, path: own('home'), readonly: false, own: true, fleeting: false },
    { target: '/tmp', path: own('tmp'), readonly: false, own: true, fleeting: true },
    ...mounts,
  ]
}

/** Where a path of the blueprint is on this machine: below the longest target that holds it, else as it is. */
export function resolvePlace(places: readonly Place[], target: string): string {
  const found = places
    .map((place) => ({ place, below: path.posix.relative(place.target, target) }))
    .filter(({ below }) => below !== '..' && !below.startsWith('../'))
    .toSorted((one, other) => one.below.length - other.below.length)[0]
  return found === undefined ? target : path.join(found.place.path, found.below)
}
