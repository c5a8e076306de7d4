import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec, Runner } from '@holm/core'
import type { SnapshotMount } from './api.ts'
import { findInLayers } from './layers.ts'
import { withMounted } from './mounted.ts'
import type { VolumeRecord } from './record.ts'
import { resolveInside } from './rootfs-path.ts'

/** Pure: where the volumes of a spec are. containerd has none: they are folders of holm's. */
export function resolveVolumes(
  spec: EnvironmentSpec,
  { root, folder }: { readonly root: string; readonly folder: string },
): readonly VolumeRecord[] {
  return spec.mounts.flatMap((mount, index) => {
    if (mount.type !== 'volume') return []
    const { source, target } = mount
    if (source === undefined) return [{ folder: path.join(folder, 'volumes', String(index)), target }]
    if (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(source))
      return [{ name: source, folder: path.join(root, source, 'data'), target }]
    throw new HolmError('HOLM_BLUEPRINT_INVALID', `"${source}" cannot be the name of a volume`, {
      hint: 'Use letters, digits, dots, hyphens and underscores, a letter or digit first.',
    })
  })
}

export interface VolumeRequest {
  readonly environment: string
  readonly volumes: readonly VolumeRecord[]
  readonly mounts: readonly SnapshotMount[]
  /** Folder for a mount while something is copied. */
  readonly below: string
  readonly runner: Runner
}

/** Makes what is missing. A new volume begins with what the base has at its place, owners and modes included, as with docker. */
export async function ensureVolumes(request: VolumeRequest): Promise<void> {
  for (const volume of request.volumes) {
    if (await isFolder(volume.folder)) continue
    await mkdir(volume.folder, { recursive: true })
    if (volume.name !== undefined) await writeFile(ownerFile(volume.folder), request.environment)
    if (await findInLayers(request.mounts, volume.target)) await copyFromBase(volume, request)
  }
}

async function copyFromBase(volume: VolumeRecord, request: VolumeRequest): Promise<void> {
  await withMounted(request, async (root) => {
    const source = await resolveInside(root, volume.target)
    if (source === undefined || !(await isFolder(source))) return
    const { code, stderr } = await request.runner.run(['cp', '-a', '--', `${source}/.`, volume.folder])
    if (code === 0) return
    await rm(volume.folder, { recursive: true, force: true })
    throw new HolmError(
      'HOLM_ENVIRONMENT_FAILED',
      `the volume for ${volume.target} could not be filled: ${stderr.trim()}`,
      { hint: 'Look for space on the disk that holds holm’s data.' },
    )
  })
}

async function isFolder(folder: string): Promise<boolean> {
  return stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** Holds the name of the environment that a named volume was made for. */
function ownerFile(data: string): string {
  return path.join(path.dirname(data), 'environment')
}

export interface VolumeRemoval {
  readonly root: string
  readonly environment: string
  /** Names of those it has. */
  readonly attached: readonly string[]
  /** Names that other environments use. */
  readonly used: ReadonlySet<string>
}

/** Named volumes of one environment: those it has, and those made for it before it was removed. */
export async function removeVolumes({ root, environment, attached, used }: VolumeRemoval): Promise<void> {
  const all = await readdir(root).catch(() => [])
  for (const name of all) {
    if (used.has(name)) continue
    const owner = await readFile(path.join(root, name, 'environment'), 'utf8').catch(() => '')
    if (attached.includes(name) || owner === environment)
      await rm(path.join(root, name), { recursive: true, force: true })
  }
}
