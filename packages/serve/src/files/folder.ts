import { realpath } from 'node:fs/promises'
import { posix } from 'node:path'
import type { BindMount, EnvironmentInfo } from '@holm/core'
import { HolmError } from '@holm/core'
import type { Call } from '../session.ts'
import type { Root } from './confined.ts'
import type { Files } from './files.ts'
import { filesHere } from './here.ts'
import { filesInside } from './inside.ts'

export interface Folder {
  readonly files: Files
  /** On this machine; undefined: files are reached inside. */
  readonly root: Root | undefined
}

/** Where the files of an environment are. HOLM_FILE_DENIED for writing into what is mounted read-only. */
export async function folderOf(
  call: Call,
  environment: string,
  { writes = false }: { readonly writes?: boolean } = {},
): Promise<Folder> {
  const info = await call.backend.host.status(environment, { signal: call.signal })
  const found = mountedFolder(info)
  if (found === undefined || !(await isReal(found.root.path)))
    return { files: filesInside(call, environment), root: undefined }
  if (writes && found.mount.readonly)
    throw new HolmError('HOLM_FILE_DENIED', `the folder of ${environment} is mounted read-only`, {
      details: { environment },
    })
  return { files: filesHere(found.root), root: found.root }
}

/** With a link in it, it may lead somewhere else by now: what is mounted is asked inside then. */
async function isReal(path: string): Promise<boolean> {
  return (await realpath(path).catch(() => undefined)) === path
}

/** The part of a mount that the environment's folder is, by the mount that is nearest to it. */
export function mountedFolder({
  workdir,
  mounts,
}: Pick<EnvironmentInfo, 'workdir' | 'mounts'>):
  | { readonly root: Root; readonly mount: BindMount }
  | undefined {
  if (workdir === undefined) return undefined
  const [nearest] = mounts
    .filter(({ target }) => isAtOrBelow(target, workdir))
    .toSorted((one, other) => other.target.length - one.target.length)
  // In a volume or in memory nothing of it is here; below a mount, what lies there may be a link of somebody's inside.
  if (nearest?.type !== 'bind' || posix.relative(nearest.target, workdir) !== '') return undefined
  return { mount: nearest, root: { path: nearest.source, inside: nearest.target } }
}

function isAtOrBelow(folder: string, path: string): boolean {
  const way = posix.relative(folder, path)
  return way !== '..' && !way.startsWith('../')
}
