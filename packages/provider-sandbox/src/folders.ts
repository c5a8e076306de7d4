import { lstatSync, readlinkSync } from 'node:fs'
import { chmod, lstat, readdir, rm } from 'node:fs/promises'
import path from 'node:path'

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/**
 * Removes a tree, links as links. Folders without permissions (an overlay's work folder, read-only caches) are opened
 * first, where the first attempt is refused.
 */
export async function removeTree(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EACCES' && code !== 'EPERM') throw error
    await openFolders(folder)
    // The refused attempt may still be removing in other branches: what it takes away is no error.
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  }
}

async function openFolders(folder: string): Promise<void> {
  try {
    if (!(await lstat(folder)).isDirectory()) return
    await chmod(folder, 0o700)
    for (const child of await readdir(folder, { withFileTypes: true })) {
      if (child.isDirectory()) await openFolders(path.join(folder, child.name))
    }
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

const linkLimit = 40

/** What a layered root holds at a path: the first layer that has it wins. */
type Look = (inner: string) => { readonly link?: string; readonly directory: boolean } | undefined

export interface InsidePath {
  /** Absolute path inside, without links. */
  readonly inner: string
  readonly exists: boolean
  readonly directory: boolean
}

/**
 * Follows a path the way a process inside would: absolute links start at the inner root, `..` never leaves it.
 * Works on `layers`, the first of which is the top one.
 */
export function resolveInside(layers: readonly string[], target: string): InsidePath {
  const look = lookIn(layers)
  const rest = target.split('/').filter(Boolean)
  let inner = '/'
  let links = 0
  let found: ReturnType<Look> = { directory: true }
  while (rest.length > 0) {
    const part = rest.shift() ?? ''
    if (part === '.') continue
    const next = path.posix.join(inner, part)
    const entry = look(next)
    if (entry?.link !== undefined && links++ < linkLimit) {
      rest.unshift(...entry.link.split('/').filter(Boolean))
      if (entry.link.startsWith('/')) inner = '/'
      continue
    }
    inner = next
    found = entry
  }
  return { inner, exists: found !== undefined, directory: found?.directory ?? false }
}

function lookIn(layers: readonly string[]): Look {
  return (inner) => {
    for (const layer of layers) {
      const file = path.join(layer, inner)
      const entry = lstatSync(file, { throwIfNoEntry: false })
      if (entry === undefined) continue
      // An overlay marks a removed file with a 0/0 character device.
      if (entry.isCharacterDevice() && entry.rdev === 0) return undefined
      if (entry.isSymbolicLink()) return { link: readlinkSync(file), directory: false }
      return { directory: entry.isDirectory() }
    }
    return undefined
  }
}
