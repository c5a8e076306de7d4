import { createHash } from 'node:crypto'
import path from 'node:path'
import { HolmError } from '@holm/core'

/** Where things of one namespace are. Everything below is made by this package alone. */
export interface Layout {
  readonly root: string
  readonly environments: string
  /** Read-only layers that snapshots and clones share. */
  readonly layers: string
  readonly volumes: string
  readonly trash: string
  /** Two data folders with one namespace do not meet on one machine. */
  readonly hash: string
}

export function resolveLayout(data: string, namespace: string): Layout {
  const root = path.join(data, namespace)
  return {
    root,
    environments: path.join(root, 'environments'),
    layers: path.join(root, 'layers'),
    volumes: path.join(root, 'volumes'),
    trash: path.join(root, 'trash'),
    hash: createHash('sha256').update(root).digest('hex').slice(0, 8),
  }
}

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

/** HOLM_NAME_INVALID for a name that could lead elsewhere. */
export function folderOf(layout: Layout, name: string): string {
  if (namePattern.test(name)) return path.join(layout.environments, name)
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of an environment`, {
    hint: 'Use 1 to 40 lower-case letters, digits and hyphens.',
  })
}

/** Name of the container. Control groups carry it, so it is unique on this machine. */
export function containerOf(layout: Layout, name: string): string {
  return `holm-${layout.hash}-${name}`
}

const volumePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

/** An anonymous volume belongs to the environment's folder and goes with it. */
export function volumeFolder(
  layout: Layout,
  environment: string,
  mount: { source?: string; index: number },
): string {
  if (mount.source === undefined) return path.join(environment, 'volumes', String(mount.index))
  if (volumePattern.test(mount.source)) return path.join(layout.volumes, mount.source)
  throw new HolmError('HOLM_NAME_INVALID', `"${mount.source}" is no name of a volume`, {
    hint: 'Use letters, digits, dots, underscores and hyphens.',
  })
}
