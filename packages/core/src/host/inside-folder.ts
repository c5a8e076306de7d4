import { realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'

/** Is the path below the folder? Of absolute paths as they are written. */
export function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** The same of what is really there. */
export function isReallyBelow(folder: string, path: string): boolean {
  return isBelow(realAsFar(folder), realAsFar(path))
}

/** The real path of the deepest ancestor that exists, and the rest as it is written. */
export function realAsFar(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realAsFar(parent), basename(path))
  }
}
