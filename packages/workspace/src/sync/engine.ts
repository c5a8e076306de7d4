import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import { isOutside, listFiles, moveOver, rescueLeftovers } from './apply.ts'
import { isSame, type Entry, type Tree } from './compare.ts'
import type { Remote } from './remote.ts'
import type { Rsync } from './rsync.ts'
import { parentsOf } from './rules.ts'
import { entryAt, scanFolder, type Scan } from './scan.ts'
import type { SyncPlaces, SyncState } from './state.ts'

export interface SyncInput {
  readonly rsync: Rsync
  readonly remote: Remote
  /** The folder of this machine, as its real path. */
  readonly local: string
  readonly places: SyncPlaces
  /** Tells one environment from the next of its name. */
  readonly environment: string
  readonly rules: readonly string[]
  /** Relative and plain; none: everything. */
  readonly paths: readonly string[]
  readonly dryRun: boolean
  /** Also what is missing on the side that is copied from is removed on the other. Both ways it always is. */
  readonly remove: boolean
  /** Compare contents where size and time are the same. */
  readonly checksum: boolean
  readonly signal?: AbortSignal | undefined
}

export interface Outcome {
  /** Paths that were changed, or would be; removed ones included. */
  readonly here: readonly string[]
  readonly there: readonly string[]
  readonly conflicts: readonly Conflict[]
  /** Deleted on one side and changed on the other: the change was kept. */
  readonly restored: readonly string[]
  /** Changed while they were copied, or in the way: the next time decides. */
  readonly disturbed: readonly string[]
  /** Absolute paths of copies of what was overwritten without an agreement. */
  readonly kept: readonly string[]
  /** Links that lead out of the tree, and names that cannot be written down. */
  readonly skipped: readonly string[]
}

export interface Conflict {
  readonly path: string
  /** Absolute paths of both versions; undefined where a side has a folder. */
  readonly here: string
  readonly there: string
}

export const nothing: Outcome = {
  here: [],
  there: [],
  conflicts: [],
  restored: [],
  disturbed: [],
  kept: [],
  skipped: [],
}

/** Where copies of this run go: one folder for each, so that no copy ever replaces another. */
export function keptOf({ places }: SyncInput): string {
  return join(places.kept, new Date().toISOString().replaceAll(/[:.]/g, '-'))
}

/** What an interrupted run put aside on either side is kept before anything else is done. */
export async function rescue(input: SyncInput, state: SyncState, kept: string): Promise<string[]> {
  if (input.dryRun) return []
  const here = rescueLeftovers(input.local, join(kept, 'here')).map((path) => join(kept, 'here', path))
  return [...here, ...(await collectAside(input, kept, (path, entry) => isSame(entry, state.base.get(path))))]
}

/** Copies of what was put aside there, without what may go. */
export async function collectAside(
  { remote, places }: SyncInput,
  kept: string,
  mayGo: (path: string, entry: Entry | undefined) => boolean,
): Promise<string[]> {
  const arrived = join(places.folder, 'arriving')
  rmSync(arrived, { recursive: true, force: true })
  if (!(await remote.collect(arrived))) return []
  const paths = listFiles(arrived).filter((path) => !mayGo(path, entryAt(join(arrived, path))))
  for (const path of paths) moveOver(join(arrived, path), join(kept, 'there', path))
  rmSync(arrived, { recursive: true, force: true })
  return paths.map((path) => join(kept, 'there', path))
}

export interface Looked {
  readonly state: SyncState
  readonly here: Scan
  readonly there: Scan
  readonly hereTree: Tree
  readonly thereTree: Tree
  readonly skipped: readonly string[]
  /** At or below a link that leads out, on either side. */
  readonly isEscape: (path: string) => boolean
}

/** Brings the mirror up to date and looks at both sides. */
export async function look(input: SyncInput, state: SyncState): Promise<Looked> {
  const { remote, places, rules, rsync, signal, local } = input
  await remote.pull(places.mirror, rules)
  const here = await scanFolder(local, { rsync, rules, cache: state.here, signal })
  const there = await scanFolder(places.mirror, { rsync, rules, cache: state.there, signal })
  const hereTree = withoutEscapes(here.tree)
  const thereTree = withoutEscapes(there.tree)
  const escapes = new Set([...escapesOf(here.tree), ...escapesOf(there.tree)])
  return {
    state,
    here,
    there,
    hereTree,
    thereTree,
    skipped: [...new Set([...escapes, ...here.unreadable, ...there.unreadable])],
    isEscape: (path) => [path, ...parentsOf(path)].some((each) => escapes.has(each)),
  }
}

function leadsOut([path, entry]: readonly [string, Entry]): boolean {
  return entry.kind === 'link' && isOutside(path, entry.target)
}

function withoutEscapes(tree: Tree): Tree {
  return new Map([...tree].filter((each) => !leadsOut(each)))
}

function escapesOf(tree: Tree): string[] {
  return [...tree].filter(leadsOut).map(([path]) => path)
}

/** A path that was asked for and is not there is a mistake, not a deletion. */
export function assertFound({ paths }: SyncInput, has: (path: string) => boolean, where: string): void {
  const missing = paths.find((path) => path !== '' && !has(path))
  if (missing === undefined) return
  throw new HolmError('HOLM_USAGE', `there is no ${JSON.stringify(missing)} in ${where}`, {
    hint: 'Name a file or folder that is there, or a worker: holm list --all',
    details: { path: missing },
  })
}
