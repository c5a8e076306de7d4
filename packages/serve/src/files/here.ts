import { constants, type Dirent } from 'node:fs'
import { lstat, mkdir, open, opendir, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import { pathOf, within, type Place, type Root } from './confined.ts'
import { explain, failed, missing } from './errors.ts'
import type { Entry, Files, FileStat } from './files.ts'

/** Files of this machine. Nothing leads out of the root, and nothing but files and folders is opened. */
export function filesHere(root: Root): Files {
  const at = async <Result>(
    path: string,
    work: (place: Place) => Promise<Result>,
    follow = true,
  ): Promise<Result> => {
    try {
      return await within(root, path, { follow, work })
    } catch (error) {
      throw explain(path, error)
    }
  }
  const stat = (path: string): Promise<FileStat | undefined> => at(path, async (place) => describe(place))
  return {
    stat,
    read: (path, { offset, length }) =>
      at(path, async (place) => {
        const handle = await openFile(path, place, constants.O_RDONLY)
        try {
          const { size } = await handle.stat()
          const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(length, size)), {
            position: offset,
          })
          return { bytes: buffer.subarray(0, bytesRead), size }
        } finally {
          await handle.close()
        }
      }),
    write: (path, { bytes, mode }) =>
      at(path, async (place) => {
        const handle = await openForWriting(path, place, mode)
        try {
          if (mode === 'replace') await handle.truncate(0)
          await handle.writeFile(bytes)
          return { size: (await handle.stat()).size }
        } finally {
          await handle.close()
        }
      }),
    list: (path) => at(path, (place) => listFolder(path, place)),
    makeFolder: (path, { recursive }) => makeFolder(at, path, recursive),
    remove: (path, { recursive }) =>
      at(
        path,
        async (place) => {
          if (place.stat === undefined) return false
          const { entry } = place
          if (entry === undefined) throw failed(path, 'is the folder of the environment itself')
          if (!place.stat.isDirectory()) await unlink(entry)
          else if (recursive) await removeTree(entry, { path, depth: 0 })
          else await rmdir(entry)
          return true
        },
        false,
      ),
  }
}

function describe({ stat }: Place): FileStat | undefined {
  return (
    stat && {
      type: typeOf(stat),
      size: stat.size,
      mode: stat.mode & 0o7777,
      modifiedAt: stat.mtime.toISOString(),
    }
  )
}

function typeOf(stat: Pick<Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): Entry['type'] {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  return stat.isSymbolicLink() ? 'symlink' : 'other'
}

async function openFile(path: string, { stat, self }: Place, flags: number): Promise<FileHandle> {
  if (stat === undefined) throw missing(path)
  if (stat.isDirectory()) throw failed(path, 'is a folder')
  if (!stat.isFile()) throw failed(path, 'is neither a file nor a folder')
  const handle = await open(self, flags | constants.O_NONBLOCK | noFollow())
  const now = await handle.stat()
  if (now.isFile() && now.ino === stat.ino && now.dev === stat.dev) return handle
  await handle.close()
  throw failed(path, 'was changed meanwhile')
}

/** On Linux the path is an open file, which is a link of the kernel's. */
function noFollow(): number {
  return process.platform === 'linux' ? 0 : (constants.O_NOFOLLOW ?? 0)
}

async function openForWriting(
  path: string,
  place: Place,
  mode: 'replace' | 'append' | 'create',
): Promise<FileHandle> {
  const append = mode === 'append' ? constants.O_APPEND : 0
  if (place.stat !== undefined) {
    if (mode === 'create') throw failed(path, 'exists already')
    return openFile(path, place, constants.O_WRONLY | append)
  }
  const flags =
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0) | append
  return open(place.self, flags, 0o644)
}

/** More than anybody looks at; a folder may be made to fill the memory of who lists it. */
const mostEntries = 100_000

async function listFolder(path: string, { stat, self }: Place): Promise<Entry[]> {
  if (stat === undefined) throw missing(path)
  if (!stat.isDirectory()) throw failed(path, 'is no folder')
  const entries: Entry[] = []
  for await (const entry of await opendir(self)) {
    entries.push({ name: entry.name, type: typeOf(entry) })
    if (entries.length > mostEntries)
      throw new HolmError(
        'HOLM_LIMIT_REACHED',
        `${JSON.stringify(path)} has more than ${mostEntries} entries`,
      )
  }
  return entries
}

type At = <Result>(path: string, work: (place: Place) => Promise<Result>) => Promise<Result>

async function makeFolder(at: At, path: string, recursive: boolean): Promise<boolean> {
  const make = (part: string): Promise<boolean> =>
    at(part, async ({ stat, self }) => {
      if (stat?.isDirectory() && recursive) return false
      if (stat) throw failed(part, 'exists already')
      await mkdir(self)
      return true
    })
  if (!recursive) return make(path)
  const parts = path.split('/')
  let created = false
  for (let count = 1; count <= parts.length; count++)
    created = await make(parts.slice(0, count).join('/') || '.')
  return created
}

/** Each level holds a folder open. */
const deepest = 256
/** Somebody may go on writing into it. */
const mostPasses = 3

interface Tree {
  /** For messages. */
  readonly path: string
  readonly depth: number
}

/** Never goes through a link: a folder that is exchanged for one meanwhile is not entered. */
async function removeTree(entry: string, tree: Tree): Promise<void> {
  if (process.platform !== 'linux') return rm(entry, { recursive: true })
  if (tree.depth > deepest) throw failed(tree.path, `has more than ${deepest} folders in each other`)
  for (let pass = 1; ; pass++) {
    await emptyFolder(entry, tree)
    try {
      return await rmdir(entry)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || pass >= mostPasses) throw error
    }
  }
}

async function emptyFolder(entry: string, { path, depth }: Tree): Promise<void> {
  const handle = await open(entry, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    for await (const { name } of await opendir(pathOf(handle))) {
      const inner = join(pathOf(handle), name)
      if ((await lstat(inner)).isDirectory()) await removeTree(inner, { path, depth: depth + 1 })
      else await unlink(inner)
    }
  } finally {
    await handle.close()
  }
}
