import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry, Tree } from './compare.ts'
import type { HashCache } from './scan.ts'

/** What both sides agreed on last, and what saves reading files again. */
export interface SyncState {
  /** The environment it is about: made anew, it is another one. */
  readonly environment: string
  readonly base: Tree
  readonly here: HashCache
  readonly there: HashCache
}

/** Places of one environment in holm's own data. */
export interface SyncPlaces {
  readonly folder: string
  /** The environment's files as they were last seen. */
  readonly mirror: string
  /** Copies of what was overwritten or removed although nobody had agreed to it. */
  readonly kept: string
}

export function placesIn(folder: string): SyncPlaces {
  return { folder, mirror: join(folder, 'mirror'), kept: join(folder, 'kept') }
}

/** Empty for an environment that was never synchronised, for another of its name, and for a file that cannot be read. */
export function loadState({ folder }: SyncPlaces, environment: string): SyncState {
  const none: SyncState = { environment, base: new Map(), here: {}, there: {} }
  try {
    const stored = JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')) as Omit<SyncState, 'base'> & {
      readonly base: Readonly<Record<string, Entry>>
    }
    if (stored.environment !== environment) return none
    return { ...stored, base: new Map(Object.entries(stored.base)) }
  } catch {
    // Without it both sides are compared with each other alone: more is a conflict, nothing is lost.
    return none
  }
}

/** By renaming, after it is on the disk: there is always a whole one. */
export function saveState({ folder }: SyncPlaces, state: SyncState): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'state.json')
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, JSON.stringify({ ...state, base: Object.fromEntries(state.base) }), { mode: 0o600 })
  const file = openSync(draft, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
}
