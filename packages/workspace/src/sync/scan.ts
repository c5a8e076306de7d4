import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  readlinkSync,
  type BigIntStats,
} from 'node:fs'
import { join } from 'node:path'
import { assertNotAborted } from '@holm/core'
import type { Entry } from './compare.ts'
import { hashName, type Rsync } from './rsync.ts'
import { parentsOf } from './rules.ts'

/** Hashes by path, each with what the file was like when it was read. */
export type HashCache = Readonly<Record<string, { readonly id: string; readonly hash: string }>>

export interface Scan {
  readonly tree: Map<string, Entry>
  readonly cache: HashCache
  /** Names that holm cannot write down, as rsync shows them. */
  readonly unreadable: readonly string[]
}

export interface ScanOptions {
  readonly rsync: Rsync
  readonly rules: readonly string[]
  readonly cache?: HashCache
  readonly signal?: AbortSignal | undefined
}

/** rsync makes links of strangers unusable with it. */
const munged = '/rsyncd-munged/'

/** A change within this time of the scan could leave the times as they are. */
const settleMs = 2000

/** What is in a folder, by the very rules by which it is copied; nothing is followed. */
export async function scanFolder(folder: string, options: ScanOptions): Promise<Scan> {
  const { rsync, rules, cache: known = {}, signal } = options
  const { items, unreadable } = await rsync({
    args: ['--recursive', '--dry-run', ...filters(rules)],
    from: `${folder}/`,
    // Nothing is written: what is not there makes rsync name everything.
    to: join(folder, '.holm-nowhere', 'at-all/'),
    cwd: folder,
    signal,
  })
  const since = BigInt(Date.now() - settleMs) * 1_000_000n
  const tree = new Map<string, Entry>()
  const cache: Record<string, { id: string; hash: string }> = {}
  for (const { path } of items) {
    if (path === '.') continue
    if (signal) assertNotAborted(signal)
    const found = look(folder, path, known[path])
    if (found === undefined) continue
    tree.set(path, found.entry)
    if (found.entry.kind === 'file' && found.id !== undefined && found.changedNs < since)
      cache[path] = { id: found.id, hash: found.entry.hash }
  }
  addParents(tree)
  return { tree, cache, unreadable }
}

export function filters(rules: readonly string[]): string[] {
  return rules.map((rule) => `--filter=${rule}`)
}

function addParents(tree: Map<string, Entry>): void {
  const paths = [...tree.keys()]
  for (const path of paths)
    for (const parent of parentsOf(path).slice(1)) if (!tree.has(parent)) tree.set(parent, { kind: 'folder' })
}

interface Found {
  readonly entry: Entry
  readonly id?: string
  readonly changedNs: bigint
}

function look(folder: string, path: string, known: HashCache[string] | undefined): Found | undefined {
  const full = join(folder, path)
  const stat = statAt(full)
  if (stat === undefined) return undefined
  const { ctimeNs: changedNs } = stat
  if (stat.isSymbolicLink()) return { entry: linkAt(full), changedNs }
  if (stat.isDirectory()) return { entry: { kind: 'folder' }, changedNs }
  if (!stat.isFile()) return undefined
  const id = identify(stat)
  const hash = known?.id === id ? known.hash : hashFile(full)
  if (hash === undefined) return undefined
  return { entry: { kind: 'file', hash, mode: modeOf(stat) }, id, changedNs }
}

/** Undefined where there is nothing, nor a folder for it. */
export function statAt(full: string): BigIntStats | undefined {
  try {
    return lstatSync(full, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    if (['ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

function identify({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  return [size, mtimeNs, ctimeNs, ino].join(' ')
}

/** Everybody can read his own files: what cannot be read cannot be copied. */
function modeOf({ mode }: BigIntStats): number {
  return (Number(mode) & 0o777) | 0o400
}

function linkAt(full: string): Entry {
  const target = readlinkSync(full)
  return { kind: 'link', target: target.startsWith(munged) ? target.slice(munged.length) : target }
}

/** What is at a place now, followed nowhere. */
export function entryAt(full: string): Entry | undefined {
  const stat = statAt(full)
  if (stat === undefined) return undefined
  if (stat.isSymbolicLink()) return linkAt(full)
  if (stat.isDirectory()) return { kind: 'folder' }
  const hash = stat.isFile() ? hashFile(full) : undefined
  // A socket or a device is nobody's file: it is like nothing that was agreed on.
  return { kind: 'file', hash: hash ?? 'special', mode: modeOf(stat) }
}

const chunk = Buffer.alloc(1024 * 1024)

/** Undefined when it is gone, or no file any more. */
function hashFile(full: string): string | undefined {
  let file: number
  try {
    file = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
  try {
    if (!fstatSync(file).isFile()) return undefined
    const hash = createHash(hashName)
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk))
      hash.update(chunk.subarray(0, read))
    return hash.digest('hex')
  } finally {
    closeSync(file)
  }
}
