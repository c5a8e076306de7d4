import { constants, type Stats } from 'node:fs'
import { lstat, open, readlink, realpath, type FileHandle } from 'node:fs/promises'
import { isAbsolute, join, posix, relative, sep } from 'node:path'
import { failed, missing, outside } from './errors.ts'

/** The folder that paths stay in. */
export interface Root {
  /** On this machine, its real path: one that has become a link is not entered. */
  readonly path: string
  /** How programs inside call it: absolute links that they made lead there. */
  readonly inside: string | undefined
}

/** Where a path leads, held open: nobody can put something else there meanwhile. */
export interface Place {
  /** Undefined: nothing is there. */
  readonly stat: Stats | undefined
  /** The thing itself, for opening it again. */
  readonly self: string
  /** It as an entry of its folder, for making and removing it. Undefined: it is the root. */
  readonly entry: string | undefined
}

export interface WalkOptions {
  /** Follow a link at the end of the path, too. */
  readonly follow: boolean
}

const isLinux = process.platform === 'linux'
/** Only a name for the thing: no rights are needed for it, and a pipe or device is not woken by it. */
const pathOnly = 0x20_00_00
const folderFlags = pathOnly | constants.O_DIRECTORY
const mostLinks = 40
const mostParts = 512

/**
 * Resolves a path below the root and hands the place to `work`. HOLM_PATH_OUTSIDE for one that is absolute or leads out by `..` or by a
 * link. On Linux each component is opened below the one before it, and never a link: what is moved or exchanged meanwhile
 * cannot lead out. Elsewhere the real path is compared, and opened without following links.
 */
export async function within<Result>(
  root: Root,
  path: string,
  { follow, work }: WalkOptions & { work(place: Place): Promise<Result> },
): Promise<Result> {
  const parts = partsOf(path)
  if (!isLinux) return work(await compare(root, path, { follow }))
  const stack: FileHandle[] = [await openRoot(root)]
  const held: FileHandle[] = []
  try {
    return await work(await walk({ root, path, parts, stack, held, follow }))
  } finally {
    await Promise.all([...stack, ...held].map((handle) => handle.close()))
  }
}

/** A folder that holds it may be somebody's inside, too, who puts a link in its place: the kernel tells what was opened. */
async function openRoot({ path }: Root): Promise<FileHandle> {
  const handle = await open(path, folderFlags)
  if ((await readlink(pathOf(handle))) === path) return handle
  await handle.close()
  throw outside('.', 'is not what it was: the folder of the environment was moved or replaced')
}

function partsOf(path: string): string[] {
  if (posix.isAbsolute(path) || isAbsolute(path)) throw outside(path, 'is absolute')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.length > mostParts) throw failed(path, `has more than ${mostParts} parts`)
  if (sep !== '/' && parts.some((part) => /[\\:]/.test(part))) throw outside(path, 'has a \\ or : in it')
  return parts
}

interface Walk extends WalkOptions {
  readonly root: Root
  readonly path: string
  parts: string[]
  /** The folders down to where the walk is. */
  readonly stack: FileHandle[]
  /** What else is to be closed afterwards. */
  readonly held: FileHandle[]
}

async function walk(state: Walk): Promise<Place> {
  const { stack, path } = state
  for (let links = 0; ;) {
    const name = state.parts.shift()
    if (name === undefined) return atTop(stack)
    if (name === '..') {
      await goUp(stack, path)
      continue
    }
    const entry = join(pathOf(stack.at(-1)), name)
    const isLast = state.parts.length === 0
    const found = await look(state, entry)
    if (found === undefined) return nothingAt(path, { entry, isLast })
    const { handle, stat } = found
    if (stat.isSymbolicLink() && (state.follow || !isLast)) {
      if (++links > mostLinks) throw failed(path, 'has too many links in it')
      await followLink(state, await readlink(entry))
    } else if (isLast) {
      return { stat, self: stat.isSymbolicLink() ? entry : pathOf(handle), entry }
    } else {
      if (!stat.isDirectory()) throw failed(path, `goes through ${JSON.stringify(name)}, which is no folder`)
      state.held.pop()
      stack.push(handle)
    }
  }
}

async function look(
  { held }: Walk,
  entry: string,
): Promise<{ readonly handle: FileHandle; readonly stat: Stats } | undefined> {
  const handle = await openName(entry)
  if (handle === undefined) return undefined
  held.push(handle)
  return { handle, stat: await handle.stat() }
}

function nothingAt(
  path: string,
  { entry, isLast }: { readonly entry: string; readonly isLast: boolean },
): Place {
  if (!isLast) throw missing(path)
  return { stat: undefined, self: entry, entry }
}

async function atTop(stack: readonly FileHandle[]): Promise<Place> {
  const top = stack.at(-1)
  // Below the root it was reached by `..`: it can be looked at, and is not removed under a name that nobody gave.
  return { stat: await top?.stat(), self: pathOf(top), entry: undefined }
}

async function goUp(stack: FileHandle[], path: string): Promise<void> {
  if (stack.length === 1) throw outside(path, 'leads out of the folder')
  await stack.pop()?.close()
}

async function openName(entry: string): Promise<FileHandle | undefined> {
  try {
    return await open(entry, pathOnly | constants.O_NOFOLLOW)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The rest of the way begins where the link leads. */
async function followLink(state: Walk, target: string): Promise<void> {
  const { root, stack, path } = state
  const rest = state.parts
  if (!target.startsWith('/')) {
    state.parts = [...split(target), ...rest]
  } else {
    const below = [root.inside, root.path]
      .map((top) => top && belowOf(top, target))
      .find((way) => way !== undefined)
    if (below === undefined) throw outside(path, 'leads out of the folder by a link')
    for (const handle of stack.splice(1)) await handle.close()
    state.parts = [...split(below), ...rest]
  }
  if (state.parts.length > mostParts) throw failed(path, `has more than ${mostParts} parts`)
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

/** The way from a folder down to a path, as both are written; undefined when it is not below. */
function belowOf(folder: string, path: string): string | undefined {
  const way = posix.relative(folder, posix.normalize(path))
  return way === '..' || way.startsWith('../') || posix.isAbsolute(way) ? undefined : way
}

/** An open file as a path: the kernel goes to what is open, whatever its name is by now. */
export function pathOf(handle: FileHandle | undefined): string {
  return `/proc/self/fd/${handle?.fd ?? -1}`
}

async function compare(root: Root, path: string, { follow }: WalkOptions): Promise<Place> {
  const top = await realpath(root.path)
  if (top !== root.path) throw outside(path, 'is below a folder that was replaced by a link')
  const parts = partsOf(path)
  const name = parts.at(-1) === '..' ? undefined : parts.at(-1)
  const parent = await realpath(join(top, ...(name === undefined ? parts : parts.slice(0, -1)))).catch(() => {
    throw missing(path)
  })
  const entry = name === undefined ? parent : join(parent, name)
  const link = await lstat(entry).catch(() => undefined)
  const self = link?.isSymbolicLink() && follow ? await realpath(entry).catch(() => entry) : entry
  if (![parent, self].every((each) => isIn(top, each))) throw outside(path, 'leads out of the folder')
  const stat = self === entry ? link : await lstat(self).catch(() => undefined)
  return { stat, self, entry: self === top ? undefined : entry }
}

function isIn(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}
