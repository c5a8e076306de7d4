import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.ts'

export interface Manifest {
  readonly name: string
  readonly version?: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly holm?: Readonly<Record<string, unknown>>
}

export interface WorkspacePackage {
  /** The folder's name: `core`, `provider-docker`. */
  readonly id: string
  readonly folder: string
  readonly manifest: Manifest
}

/** Every package of packages/, in the order of their names. */
export function listPackages(): WorkspacePackage[] {
  const folder = join(root, 'packages')
  return readdirSync(folder)
    .toSorted()
    .map((id) => ({ id, folder: join(folder, id) }))
    .filter((found) => existsSync(join(found.folder, 'package.json')))
    .map((found) => ({ ...found, manifest: readManifest(found.folder) }))
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}
