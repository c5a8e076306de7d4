import { parentsOf } from './rules.ts'

export type Entry =
  | { readonly kind: 'file'; readonly hash: string; readonly mode: number }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'folder' }

/** By path, relative, with slashes. A path's parents are in it, too. */
export type Tree = ReadonlyMap<string, Entry>

export interface Step {
  readonly path: string
  /** What is there now, and what there shall be; undefined: nothing. */
  readonly from: Entry | undefined
  readonly to: Entry | undefined
}

export interface Plan {
  /** For each side: removals from the deepest, then all else from the outermost. */
  readonly here: readonly Step[]
  readonly there: readonly Step[]
  /** Both sides changed these; each keeps its own. */
  readonly conflicts: readonly string[]
  /** Deleted on one side and changed on the other: the change is kept. */
  readonly restored: readonly string[]
  /** What both sides have when all steps are done. */
  readonly agreed: Tree
}

export function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if (a.kind === 'file') return b.kind === 'file' && a.hash === b.hash && a.mode === b.mode
  if (a.kind === 'link') return b.kind === 'link' && a.target === b.target
  return b.kind === 'folder'
}

interface Sides {
  readonly base: Tree
  readonly here: Tree
  readonly there: Tree
}

/** What both sides are to have; 'conflict': what they have now. */
type Outcome = { readonly entry: Entry | undefined; readonly restored: boolean } | 'conflict'

/** Compares both sides with what they agreed on last. Nothing that only one side has is ever given up for the other's. */
export function compareSides(sides: Sides): Plan {
  const paths = [...new Set([...sides.base.keys(), ...sides.here.keys(), ...sides.there.keys()])].toSorted()
  const outcomes = new Map(paths.map((path) => [path, outcomeOf(path, sides)]))
  while (settleFolders(outcomes, sides)) continue
  const agreed = new Map<string, Entry>()
  const conflicts: string[] = []
  const restored: string[] = []
  for (const [path, outcome] of outcomes) {
    if (outcome === 'conflict') {
      conflicts.push(path)
      continue
    }
    if (outcome.restored) restored.push(path)
    if (outcome.entry !== undefined) agreed.set(path, outcome.entry)
  }
  return {
    here: stepsFor(sides.here, outcomes),
    there: stepsFor(sides.there, outcomes),
    conflicts: conflicts.filter((path) => !isFolderPair(path, sides)),
    restored,
    agreed,
  }
}

function isFolderPair(path: string, { here, there }: Sides): boolean {
  return here.get(path)?.kind === 'folder' && there.get(path)?.kind === 'folder'
}

function outcomeOf(path: string, { base, here, there }: Sides): Outcome {
  const [b, h, t] = [base.get(path), here.get(path), there.get(path)]
  if (isSame(h, t)) return { entry: h, restored: false }
  if (isSame(b, h)) return { entry: t, restored: false }
  if (isSame(b, t)) return { entry: h, restored: false }
  // Deleted on one side, changed on the other.
  if (h === undefined || t === undefined) return { entry: h ?? t, restored: true }
  return mergeFile(b, h, t) ?? 'conflict'
}

/** Content changed on one side and mode on the other are no conflict. */
function mergeFile(b: Entry | undefined, h: Entry, t: Entry): Outcome | undefined {
  if (b?.kind !== 'file' || h.kind !== 'file' || t.kind !== 'file') return undefined
  const hash = mergeValue(b.hash, h.hash, t.hash)
  const mode = mergeValue(b.mode, h.mode, t.mode)
  if (hash === undefined || mode === undefined) return undefined
  return { entry: { kind: 'file', hash, mode }, restored: false }
}

function mergeValue<Value>(base: Value, here: Value, there: Value): Value | undefined {
  if (here === there || there === base) return here
  return here === base ? there : undefined
}

/** Whatever stays needs the folders that it is in: true when something had to be decided anew. */
function settleFolders(outcomes: Map<string, Outcome>, sides: Sides): boolean {
  let changed = false
  for (const side of [sides.here, sides.there]) {
    for (const [path, outcome] of outcomes) {
      if (finalOf(path, outcome, side) === undefined) continue
      for (const parent of parentsOf(path).slice(1)) changed = settleFolder(parent, outcomes, side) || changed
    }
  }
  return changed
}

function settleFolder(parent: string, outcomes: Map<string, Outcome>, side: Tree): boolean {
  const above = outcomes.get(parent)
  const entry = above === undefined ? undefined : finalOf(parent, above, side)
  if (entry?.kind === 'folder') return false
  if (entry === undefined && above !== 'conflict')
    outcomes.set(parent, { entry: { kind: 'folder' }, restored: false })
  else giveUp(outcomes, parent)
  return true
}

function finalOf(path: string, outcome: Outcome, side: Tree): Entry | undefined {
  return outcome === 'conflict' ? side.get(path) : outcome.entry
}

/** A folder on one side and something else on the other: everything in it stays as it is. */
function giveUp(outcomes: Map<string, Outcome>, parent: string): void {
  for (const path of outcomes.keys())
    if (path === parent || path.startsWith(`${parent}/`)) outcomes.set(path, 'conflict')
}

function stepsFor(side: Tree, outcomes: ReadonlyMap<string, Outcome>): Step[] {
  const steps = [...outcomes].flatMap(([path, outcome]): Step[] => {
    if (outcome === 'conflict') return []
    const from = side.get(path)
    return isSame(from, outcome.entry) ? [] : [{ path, from, to: outcome.entry }]
  })
  return [
    ...steps.filter(({ to }) => to === undefined).toReversed(),
    ...steps.filter(({ to }) => to !== undefined),
  ]
}
