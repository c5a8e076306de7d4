import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { applySteps } from './apply.ts'
import { isSame, type Entry, type Step, type Tree } from './compare.ts'
import {
  assertFound,
  collectAside,
  keptOf,
  look,
  nothing,
  rescue,
  type Outcome,
  type SyncInput,
} from './engine.ts'
import type { Item } from './rsync.ts'
import { entryAt, statAt } from './scan.ts'
import { loadState, saveState } from './state.ts'

/** From here to there. */
export async function syncTo(input: SyncInput): Promise<Outcome> {
  const state = loadState(input.places, input.environment)
  const kept = keptOf(input)
  const rescued = await rescue(input, state, kept)
  const { rules, remove, dryRun, checksum, local } = input
  assertFound(input, (path) => statAt(join(local, path)) !== undefined, local)
  const items = await input.remote.send(input.local, { rules, remove, dryRun, checksum })
  const there = items.filter(isChange).map(({ path }) => path)
  if (dryRun) return { ...nothing, there }
  const copies = items.some((item) => isChange(item) && !item.isNew)
    ? await collectAside(input, kept, (path, entry) => isSame(entry, state.base.get(path)))
    : []
  const base = new Map(state.base)
  for (const item of items) learn(base, item, input.local)
  saveState(input.places, { ...state, base })
  return { ...nothing, there, kept: [...rescued, ...copies] }
}

/** A folder whose time changed is no change. */
function isChange({ kind, change, isNew }: Item): boolean {
  return change === 'deleted' || isNew || (kind !== 'folder' && change === 'sent') || kind === 'file'
}

/** What both sides have after it was sent. What this machine's file is like by now does not count: it may have changed. */
function learn(base: Map<string, Entry>, { path, kind, change, hash }: Item, local: string): void {
  if (change === 'deleted') return void base.delete(path)
  if (kind === 'folder') return void base.set(path, { kind })
  const entry = kind === 'link' || hash !== undefined ? lookBriefly(join(local, path)) : undefined
  if (entry?.kind === 'link' && kind === 'link') base.set(path, entry)
  else if (entry?.kind === 'file' && hash !== undefined) base.set(path, { ...entry, hash })
  else if (change === 'sent') base.delete(path)
}

/** Without its content. */
function lookBriefly(full: string): Entry | undefined {
  const stat = lstatSync(full, { throwIfNoEntry: false })
  if (stat?.isFile() === true) return { kind: 'file', hash: '', mode: (stat.mode & 0o777) | 0o400 }
  return stat?.isSymbolicLink() === true ? entryAt(full) : undefined
}

/** From there to here. */
export async function syncBack(input: SyncInput): Promise<Outcome> {
  const state = loadState(input.places, input.environment)
  const kept = keptOf(input)
  const rescued = await rescue(input, state, kept)
  const { hereTree, thereTree, skipped, here, there, isEscape } = await look(input, state)
  assertFound(input, (path) => thereTree.has(path), 'the environment')
  const steps = stepsBack({ here: hereTree, there: thereTree, remove: input.remove }).filter(
    ({ path }) => !isEscape(path),
  )
  const changed = steps.map(({ path }) => path)
  if (input.dryRun) return { ...nothing, here: changed, skipped }
  const { base } = state
  const applied = await applySteps(steps, {
    root: input.local,
    source: input.places.mirror,
    kept: join(kept, 'here'),
    mayGo: ({ path }, entry) => isSame(entry, base.get(path)),
    signal: input.signal,
  })
  const agreed = new Map(base)
  for (const { path, to } of applied.done) {
    if (to === undefined) agreed.delete(path)
    else agreed.set(path, to)
  }
  // What is equal on both sides is agreed on, too.
  for (const [path, entry] of thereTree) if (isSame(entry, hereTree.get(path))) agreed.set(path, entry)
  saveState(input.places, { ...state, base: agreed, here: here.cache, there: there.cache })
  const copies = applied.kept.map((path) => join(kept, 'here', path))
  return {
    ...nothing,
    here: applied.done.map(({ path }) => path),
    disturbed: applied.disturbed,
    kept: [...rescued, ...copies],
    skipped,
  }
}

function stepsBack({
  here,
  there,
  remove,
}: {
  readonly here: Tree
  readonly there: Tree
  readonly remove: boolean
}): Step[] {
  const removed = remove ? [...here.keys()].filter((path) => !there.has(path)) : []
  const replaced = [...there].flatMap(([path, to]): Step[] => {
    const from = here.get(path)
    return isSame(from, to) ? [] : [{ path, from, to }]
  })
  return [
    ...removed
      .toSorted()
      .toReversed()
      .map((path) => ({ path, from: here.get(path), to: undefined })),
    ...replaced.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  ]
}
