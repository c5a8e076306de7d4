import { constants, copyFileSync, lstatSync, mkdirSync, rmSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HolmError } from '@holm/core'
import { applySteps } from './apply.ts'
import { compareSides, isSame, type Entry, type Step, type Tree } from './compare.ts'
import {
  assertFound,
  collectAside,
  keptOf,
  nothing,
  look,
  rescue,
  type Looked,
  type Outcome,
  type SyncInput,
} from './engine.ts'
import type { Item } from './rsync.ts'
import { parentsOf } from './rules.ts'
import { loadState, saveState } from './state.ts'

/** Both ways. */
export async function syncBoth(input: SyncInput): Promise<Outcome> {
  const loaded = loadState(input.places, input.environment)
  const kept = keptOf(input)
  const rescued = await rescue(input, loaded, kept)
  const looked = await look(input, loaded)
  const { hereTree, thereTree } = looked
  assertFound(input, (path) => hereTree.has(path) || thereTree.has(path), `${input.local} or the environment`)
  const state = { ...loaded, base: believable(input, looked) }
  const inScope = (path: string): boolean => isInScope(path, input.paths) && !looked.isEscape(path)
  const filtered = (tree: Tree): Tree => new Map([...tree].filter(([path]) => inScope(path)))
  const base = filtered(state.base)
  const plan = compareSides({ base, here: filtered(hereTree), there: filtered(thereTree) })
  const conflicts = plan.conflicts.map((path) => ({
    path,
    here: join(input.local, path),
    there: join(input.places.mirror, path),
  }))
  const shown = { ...nothing, conflicts, restored: plan.restored, skipped: looked.skipped }
  const pathsOf = (steps: readonly Step[]): string[] => steps.map(({ path }) => path)
  if (input.dryRun) return { ...shown, here: pathsOf(plan.here), there: pathsOf(plan.there) }

  const applied = await applySteps(plan.here, {
    root: input.local,
    source: input.places.mirror,
    kept: join(kept, 'here'),
    mayGo: ({ from }, entry) => isSame(entry, from),
    restores: true,
    signal: input.signal,
  })
  const sent = await applyThere(input, plan.there, kept)
  const agreed = new Map([...state.base].filter(([path]) => !inScope(path)))
  const open = new Set([...plan.conflicts, ...applied.disturbed, ...sent.left])
  for (const [path, entry] of plan.agreed)
    if (!open.has(path)) agreed.set(path, sent.known.get(path) ?? entry)
  for (const path of open) keepEntry(agreed, path, base.get(path))
  saveState(input.places, {
    ...state,
    base: agreed,
    here: looked.here.cache,
    there: looked.there.cache,
  })
  return {
    ...shown,
    here: pathsOf(applied.done),
    there: sent.done,
    disturbed: [...applied.disturbed, ...sent.left],
    kept: [...rescued, ...applied.kept.map((path) => join(kept, 'here', path)), ...sent.kept],
  }
}

function keepEntry(agreed: Map<string, Entry>, path: string, entry: Entry | undefined): void {
  if (entry !== undefined) agreed.set(path, entry)
}

/** Below one of the paths, or a folder on the way to one. */
function isInScope(path: string, paths: readonly string[]): boolean {
  if (paths.length === 0) return true
  return paths.some(
    (each) => each === '' || path === each || path.startsWith(`${each}/`) || parentsOf(each).includes(path),
  )
}

/** A side that lost everything did not delete everything. */
function believable(input: SyncInput, { state, hereTree, thereTree }: Looked): Tree {
  if (input.paths.length > 0 || state.base.size === 0) return state.base
  if (hereTree.size === 0) {
    throw new HolmError(
      'HOLM_COMMAND_FAILED',
      `${input.local} is empty, and was not when it was synchronised`,
      {
        hint: 'If that is meant, empty the environment too; if not, bring the files back: holm sync-back NAME',
      },
    )
  }
  return thereTree.size === 0 ? new Map() : state.base
}

interface Sent {
  readonly done: readonly string[]
  /** Not sent: gone meanwhile. */
  readonly left: readonly string[]
  readonly kept: readonly string[]
  /** What the other side has now. */
  readonly known: Tree
}

/** Removals first; what becomes something else makes room first. */
async function applyThere(input: SyncInput, steps: readonly Step[], kept: string): Promise<Sent> {
  const { remote, local, places } = input
  const removed = steps.filter(
    ({ from, to }) => from !== undefined && (to === undefined || to.kind !== from.kind),
  )
  const wanted = steps.filter(({ to }) => to !== undefined)
  await remote.remove(removed.map(({ path }) => path))
  const items = await remote.push(
    local,
    wanted.map(({ path }) => path),
  )
  const byPath = new Map(items.map((item) => [item.path, item]))
  const froms = new Map(steps.map(({ path, from }) => [path, from]))
  const isAside = removed.length > 0 || items.some(({ kind, isNew }) => kind !== 'folder' && !isNew)
  const copies = isAside
    ? await collectAside(input, kept, (path, entry) => isSame(entry, froms.get(path)))
    : []
  const left = wanted
    .filter(({ path, to }) => to?.kind !== 'folder' && !byPath.has(path))
    .map(({ path }) => path)
  const sent = wanted.filter(({ path }) => !left.includes(path))
  for (const { path } of sent) reflect(join(local, path), join(places.mirror, path))
  for (const { path, to } of removed) if (to === undefined) forget(join(places.mirror, path))
  const done = steps.map(({ path }) => path).filter((path) => !left.includes(path))
  return {
    done,
    left,
    kept: copies,
    known: new Map(sent.flatMap((step) => knownOf(step, byPath.get(step.path)))),
  }
}

/** What was sent may be newer than what was looked at. */
function knownOf({ path, to }: Step, item: Item | undefined): (readonly [string, Entry])[] {
  return to?.kind === 'file' && item?.hash !== undefined ? [[path, { ...to, hash: item.hash }]] : []
}

/** Spares the next run from bringing back what was just sent; whatever is wrong with the copy, that run puts right. */
function reflect(from: string, to: string): void {
  try {
    const stat = lstatSync(from)
    if (stat.isDirectory()) return forget(to)
    if (!stat.isFile()) return
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
    rmSync(to, { recursive: true, force: true })
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    utimesSync(to, stat.atime, stat.mtime)
  } catch {
    return
  }
}

function forget(full: string): void {
  try {
    const stat = lstatSync(full, { throwIfNoEntry: false })
    if (stat && !stat.isDirectory()) rmSync(full)
  } catch {
    return
  }
}
