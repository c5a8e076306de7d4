import { randomBytes } from 'node:crypto'
import { chmod, lstat, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Replaces a file: a reader sees the old or the new one, never a part. Mode 0600. */
export async function replaceFile(file: string, data: string | Uint8Array): Promise<void> {
  const draft = path.join(path.dirname(file), `.draft-${randomBytes(4).toString('hex')}`)
  try {
    await writeFile(draft, data, { mode: 0o600 })
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw storageError(file, error)
  }
}

/** A full disk is named as such; anything else is passed on. */
export function storageError(file: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new HolmError('HOLM_DISK_FULL', `no space left while writing ${file}`, {
    hint: 'Free space, or set HOLM_HOME to a folder on another disk.',
    cause: error,
  })
}

/** Removes a tree, links as links. Folders without permissions are opened where the first attempt is refused. */
export async function removeTree(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EACCES' && code !== 'EPERM') throw error
    await openFolders(folder)
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  }
}

/** Makes everything below readable and removable by its owner. */
export async function openFolders(folder: string): Promise<void> {
  if (!(await lstat(folder)).isDirectory()) return
  await chmod(folder, 0o700)
  for (const child of await readdir(folder, { withFileTypes: true })) {
    if (child.isDirectory()) await openFolders(path.join(folder, child.name))
  }
}
