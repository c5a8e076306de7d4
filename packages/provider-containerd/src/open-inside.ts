import { constants } from 'node:fs'
import { open, readlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

/** Links that the kernel follows before it gives up. */
const maxLinks = 40

export interface InnerFolder {
  /** A path of this machine that stays that very folder, whatever programs inside rename or link meanwhile. */
  readonly path: string
  close(): Promise<void>
}

/**
 * Opens a folder of an environment, step by step, so that neither a link nor a program that swaps one in leads out of `root`. `make` is
 * called for a part that does not exist and may create it; undefined when there is no such folder.
 */
export async function openInside(
  root: string,
  inner: string,
  make?: (path: string) => Promise<void>,
): Promise<InnerFolder | undefined> {
  const stack = [await open(root, constants.O_RDONLY | constants.O_DIRECTORY)]
  const closeTo = async (length: number): Promise<void> => {
    for (const handle of stack.splice(length)) await handle.close()
  }
  let left = partsOf(inner)
  let links = 0
  try {
    while (left.length > 0) {
      const [part = '', ...rest] = left
      left = rest
      if (part === '..') {
        await closeTo(Math.max(1, stack.length - 1))
        continue
      }
      const here = `${pathOf(stack.at(-1))}/${part}`
      const next = await step(here, make)
      if (next === undefined) {
        await closeTo(0)
        return undefined
      }
      if (typeof next !== 'string') {
        stack.push(next)
        continue
      }
      links += 1
      if (links > maxLinks) throw Object.assign(new Error('too many links'), { code: 'ELOOP' })
      if (next.startsWith('/')) await closeTo(1)
      left = [...partsOf(next), ...left]
    }
  } catch (error) {
    await closeTo(0)
    throw error
  }
  return { path: pathOf(stack.at(-1)), close: () => closeTo(0) }
}

function pathOf(handle: FileHandle | undefined): string {
  return `/proc/self/fd/${handle?.fd ?? -1}`
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

/** The folder opened, the target of a link, or undefined. */
async function step(
  path: string,
  make: ((path: string) => Promise<void>) | undefined,
): Promise<FileHandle | string | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  try {
    return await open(path, flags)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && make) {
      await make(path)
      return open(path, flags)
    }
    if (code === 'ENOENT') return undefined
    if (code !== 'ENOTDIR' && code !== 'ELOOP') throw error
    return readlink(path).catch(() => undefined)
  }
}
