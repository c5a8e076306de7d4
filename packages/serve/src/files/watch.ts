import { watch, type FSWatcher } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { posix } from 'node:path'
import { HolmError, isHolmError } from '@holm/core'
import { within, type Root } from './confined.ts'
import { explain, failed, missing } from './errors.ts'

export interface WatchOptions {
  readonly path: string
  readonly recursive: boolean
  /** Names of folders that are not looked into. */
  readonly ignore: ReadonlySet<string>
}

export interface Change {
  readonly paths: readonly string[]
  readonly overflow: boolean
}

export interface Watching {
  readonly folders: number
  close(): void
}

/** Each costs the kernel memory, and a user has a number of them. */
const mostFolders = 8192
/** Changes that are told one by one. */
const mostPaths = 1000
const settleMs = 50

interface Watched {
  readonly watcher: FSWatcher
  readonly identity: string
}

interface State {
  readonly root: Root
  readonly options: WatchOptions
  readonly watchers: Map<string, Watched>
  /** What is found from now on is new. */
  live: boolean
  /** Changed since it was last told. */
  readonly changed: Set<string>
  overflow: boolean
  closed: boolean
  poke(): void
}

/**
 * Watches a folder, link by link never leaving the root. `tell` is called with what changed; while it has not resolved the
 * changes are gathered, and become `overflow` when they are too many.
 */
export async function watchFolder(
  root: Root,
  options: WatchOptions,
  tell: (change: Change) => Promise<void>,
): Promise<Watching> {
  const state: State = {
    root,
    options,
    watchers: new Map(),
    live: false,
    changed: new Set(),
    overflow: false,
    closed: false,
    poke: () => undefined,
  }
  state.poke = createTeller(state, tell)
  const close = (): void => {
    state.closed = true
    for (const { watcher } of state.watchers.values()) watcher.close()
    state.watchers.clear()
  }
  try {
    await add(state, posix.normalize(options.path), { isTop: true })
    state.live = true
  } catch (error) {
    close()
    throw error
  }
  return { folders: state.watchers.size, close }
}

function createTeller(state: State, tell: (change: Change) => Promise<void>): () => void {
  let telling = false
  const flush = async (): Promise<void> => {
    while (!state.closed && (state.changed.size > 0 || state.overflow)) {
      const change = { paths: [...state.changed], overflow: state.overflow }
      state.changed.clear()
      state.overflow = false
      await tell(change)
    }
    telling = false
  }
  return () => {
    if (telling) return
    telling = true
    setTimeout(() => void flush(), settleMs)
  }
}

function note(state: State, path: string): void {
  if (state.changed.size < mostPaths) state.changed.add(path)
  else {
    state.overflow = true
    state.changed.clear()
  }
  state.poke()
}

/**
 * One folder, and those in it. What was watched under the name and is no longer there is let go. A folder that is not there any
 * more is no error, unless it is the one that was asked for.
 */
async function add(state: State, path: string, { isTop = false } = {}): Promise<void> {
  const inner = await within(state.root, path, {
    follow: isTop,
    async work({ stat, self }) {
      const identity = stat?.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined
      if (state.watchers.get(path)?.identity === identity || state.closed) return []
      drop(state, path)
      if (identity === undefined) {
        if (isTop) throw stat ? failed(path, 'is no folder') : missing(path)
        return []
      }
      if (state.watchers.size >= mostFolders) throw tooMany()
      attach(state, { path, self, identity })
      return listInner(state, { path, self })
    },
  }).catch((error: unknown) => {
    if (isTop) throw explain(path, error)
    if (isHolmError(error, 'HOLM_LIMIT_REACHED')) {
      if (!state.live) throw error
      state.overflow = true
      state.poke()
    }
    // Gone, or not to be read: what is below it is not seen.
    if (isHolmError(error, 'HOLM_FILE_NOT_FOUND')) drop(state, path)
    return []
  })
  for (const each of inner) if (!state.closed) await add(state, each)
}

/** The folders in it; all that is in one that appeared meanwhile has changed. */
async function listInner(
  state: State,
  { path, self }: { readonly path: string; readonly self: string },
): Promise<string[]> {
  if (!state.options.recursive) return []
  const folders: string[] = []
  for await (const entry of await opendir(self)) {
    const inner = posix.join(path, entry.name)
    if (state.live) note(state, inner)
    if (entry.isDirectory() && !state.options.ignore.has(entry.name)) folders.push(inner)
    if (folders.length + state.watchers.size > mostFolders) throw tooMany()
  }
  return folders
}

interface Attached {
  readonly path: string
  readonly self: string
  readonly identity: string
}

function attach(state: State, { path, self, identity }: Attached): void {
  try {
    // The kernel watches what is open here, not what has the name later. What happens to the folder itself it tells under the
    // last part of the name that it was given.
    const own = posix.basename(self)
    const watcher = watch(self, { persistent: false }, (_kind, name) => changed(state, path, { name, own }))
    watcher.on('error', () => drop(state, path))
    state.watchers.set(path, { watcher, identity })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw tooMany()
    throw error
  }
}

function changed(
  state: State,
  folder: string,
  { name, own }: { readonly name: string | null; readonly own: string },
): void {
  if (state.closed) return
  const path = name === null || name === own ? folder : posix.join(folder, name)
  note(state, path)
  if (name === null || !state.options.recursive || state.options.ignore.has(name)) return
  void add(state, path)
}

/** It, and all below it. */
function drop({ watchers }: State, path: string): void {
  for (const [each, { watcher }] of watchers) {
    if (each !== path && !each.startsWith(`${path}/`)) continue
    watcher.close()
    watchers.delete(each)
  }
}

function tooMany(): HolmError {
  return new HolmError(
    'HOLM_LIMIT_REACHED',
    `more than ${mostFolders} folders, or than this machine can watch`,
    {
      hint: 'Watch fewer: name a folder in it, or more names to ignore.',
    },
  )
}
