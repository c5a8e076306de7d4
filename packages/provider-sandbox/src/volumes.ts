import path from 'node:path'
import { HolmError } from '@holm/core'

const volumePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

/** An anonymous volume belongs to the environment's folder and goes with it. HOLM_NAME_INVALID for a name that could lead elsewhere. */
export function volumeSource(
  name: string | undefined,
  index: number,
  paths: { readonly folder: string; readonly volumes: string },
): string {
  if (name === undefined) return path.join(paths.folder, 'volumes', String(index))
  if (volumePattern.test(name)) return path.join(paths.volumes, name)
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of a volume`, {
    hint: 'Use letters, digits, dots, underscores and hyphens.',
  })
}
