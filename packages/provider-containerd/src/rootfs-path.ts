import { lstat, readlink } from 'node:fs/promises'
import path from 'node:path'

/** Links that the kernel follows before it gives up. */
const maxLinks = 40

interface Walk {
  readonly root: string
  /** Where it is, as parts below the root. */
  readonly at: readonly string[]
  /** Parts still to go. */
  readonly left: readonly string[]
  readonly links: number
}

/**
 * The real path, on this machine, of a path inside an environment: links are followed as a program inside would see them, and never
 * lead out of `root`. Undefined when a part of it does not exist. `last: 'keep'` does not follow the last part.
 */
export async function resolveInside(
  root: string,
  inner: string,
  last: 'follow' | 'keep' = 'follow',
): Promise<string | undefined> {
  let walk: Walk | undefined = { root, at: [], left: partsOf(inner), links: 0 }
  while (walk && walk.left.length > 0) walk = await step(walk, last)
  return walk && path.join(root, ...walk.at)
}

async function step({ root, at, left, links }: Walk, last: 'follow' | 'keep'): Promise<Walk | undefined> {
  const [part = '', ...rest] = left
  if (part === '..') return { root, at: at.slice(0, -1), left: rest, links }
  const here = path.join(root, ...at, part)
  const found = await lstat(here).catch(() => undefined)
  if (found?.isSymbolicLink() && (rest.length > 0 || last === 'follow')) {
    if (links === maxLinks) return undefined
    const target = await readlink(here)
    return {
      root,
      at: target.startsWith('/') ? [] : at,
      left: [...partsOf(target), ...rest],
      links: links + 1,
    }
  }
  if (!found || (rest.length > 0 && !found.isDirectory())) return undefined
  return { root, at: [...at, part], left: rest, links }
}

function partsOf(inner: string): string[] {
  return inner.split('/').filter((part) => part !== '' && part !== '.')
}
