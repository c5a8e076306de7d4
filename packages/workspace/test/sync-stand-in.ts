import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { listFiles } from '../src/sync/apply.ts'
import { statAt } from '../src/sync/scan.ts'
import type { Remote } from '../src/sync/remote.ts'
import type { Item, Rsync } from '../src/sync/rsync.ts'

const work = '.holm-sync'
const aside = join(work, 'old')

/** What rsync does here, without starting a program each time: names everything in a folder. */
export const listingRsync: Rsync = async ({ from }) => ({ items: walk(from, ''), unreadable: [] })

function walk(root: string, below: string): Item[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry): Item[] => {
    const path = join(below, entry.name)
    if (path === work) return []
    const item = { path, change: 'sent', isNew: true, hash: undefined } as const
    if (entry.isDirectory()) return [{ ...item, kind: 'folder' }, ...walk(root, path)]
    return [{ ...item, kind: entry.isSymbolicLink() ? 'link' : 'file' }]
  })
}

/** Links as they are, wherever they lead. */
function copy(from: string, to: string): void {
  const stat = lstatSync(from)
  if (stat.isSymbolicLink()) return symlinkSync(readlinkSync(from), to)
  if (stat.isDirectory()) {
    mkdirSync(to, { recursive: true })
    for (const name of readdirSync(from)) copy(join(from, name), join(to, name))
  } else {
    copyFileSync(from, to)
    utimesSync(to, stat.atime, stat.mtime)
  }
}

/** The other side as rsync and scripts leave it; what is in the way is put aside as `--backup` does. */
export function createStandIn(there: string): Remote {
  const putAside = (path: string): boolean => {
    const stat = statAt(join(there, path))
    if (stat === undefined) return false
    if (stat.isDirectory()) throw new Error(`could not make way for ${path}`)
    mkdirSync(dirname(join(there, aside, path)), { recursive: true })
    renameSync(join(there, path), join(there, aside, path))
    return true
  }
  return {
    async pull(mirror) {
      rmSync(mirror, { recursive: true, force: true })
      copy(there, mirror)
      rmSync(join(mirror, work), { recursive: true, force: true })
    },
    async push(folder, paths) {
      return paths.flatMap((path): Item[] => {
        const from = statAt(join(folder, path))
        if (from === undefined) return []
        if (from.isDirectory()) {
          mkdirSync(join(there, path), { recursive: true })
          return [{ path, kind: 'folder', change: 'sent', isNew: true, hash: undefined }]
        }
        mkdirSync(dirname(join(there, path)), { recursive: true })
        const isNew = !putAside(path)
        copy(join(folder, path), join(there, path))
        const hash = from.isFile()
          ? createHash('md5')
              .update(readFileSync(join(there, path)))
              .digest('hex')
          : undefined
        return [{ path, kind: from.isFile() ? 'file' : 'link', change: 'sent', isNew, hash }]
      })
    },
    send: () => Promise.reject(new Error('not asked for both ways')),
    async remove(paths) {
      for (const path of paths) {
        const stat = statAt(join(there, path))
        if (stat?.isDirectory() !== true) putAside(path)
        else if (readdirSync(join(there, path)).length === 0) rmdirSync(join(there, path))
      }
    },
    async collect(folder) {
      const isAny = existsSync(join(there, aside)) && listFiles(join(there, aside)).length > 0
      if (isAny) copy(join(there, aside), folder)
      rmSync(join(there, work), { recursive: true, force: true })
      return isAny
    },
  }
}
