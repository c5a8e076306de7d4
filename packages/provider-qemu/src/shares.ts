import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { Share } from './argv.ts'
import { mountOf, type GuestMount } from './guest-config.ts'
import type { Layout, QemuRecord } from './record.ts'

const volumePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

/** HOLM_NAME_INVALID for a name that could lead elsewhere. */
export function assertVolumeName(name: string): void {
  if (volumePattern.test(name)) return
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of a volume`, {
    hint: 'Use letters, digits, dots, underscores and hyphens.',
  })
}

/** An anonymous volume belongs to the environment's folder and goes with it. */
export function volumeFolder(
  layout: Layout,
  record: Pick<QemuRecord, 'name'>,
  volume: string | number,
): string {
  if (typeof volume === 'number')
    return path.join(layout.environments, record.name, 'volumes', String(volume))
  assertVolumeName(volume)
  return path.join(layout.volumes, volume)
}

export interface Mounts {
  readonly shares: readonly Share[]
  readonly mounts: readonly GuestMount[]
}

/**
 * Shares of this machine's folders and where they are mounted, in the blueprint's order. In a folder of the user files have
 * their owners of this machine; in a volume, which only machines see, owners are kept beside the files, so that any user
 * inside can own them though holm does not run as root.
 */
export function planMounts(layout: Layout, record: QemuRecord): Mounts {
  const shares: Share[] = []
  const mounts = record.mounts.map((mount, index): GuestMount => {
    if (mount.type === 'tmpfs') {
      const size = mount.sizeBytes === undefined ? '' : `,size=${mount.sizeBytes}`
      return {
        kind: 'tmpfs',
        source: 'tmpfs',
        target: mount.target,
        readonly: false,
        options: `mode=1777${size}`,
      }
    }
    const bind = mount.type === 'bind'
    const share: Share = {
      tag: `share${index}`,
      source: bind ? mount.source : volumeFolder(layout, record, mount.source ?? index),
      readonly: mount.readonly,
      owners: bind ? 'same' : 'mapped',
    }
    shares.push(share)
    return mountOf(share, mount.target)
  })
  return { shares, mounts }
}

/** Makes the folders of volumes. */
export async function makeVolumes(layout: Layout, record: QemuRecord): Promise<void> {
  for (const [index, mount] of record.mounts.entries()) {
    if (mount.type === 'volume')
      await mkdir(volumeFolder(layout, record, mount.source ?? index), { recursive: true, mode: 0o700 })
  }
}
