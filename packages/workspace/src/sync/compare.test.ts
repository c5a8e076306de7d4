import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareSides, isSame, type Entry, type Step, type Tree } from './compare.ts'
import { parentsOf } from './rules.ts'

const file = (hash: string, mode = 0o644): Entry => ({ kind: 'file', hash, mode })
const folder: Entry = { kind: 'folder' }
const tree = (entries: Readonly<Record<string, Entry>>): Tree => new Map(Object.entries(entries))
const summary = (steps: readonly Step[]): string[] =>
  steps.map(({ path, to }) => `${path}=${to?.kind === 'file' ? to.hash : (to?.kind ?? 'gone')}`)

describe('compareSides', () => {
  it('takes a change of one side to the other', () => {
    const base = tree({ a: file('1'), b: file('1'), c: file('1') })
    const plan = compareSides({
      base,
      here: tree({ a: file('2'), b: file('1'), c: file('1'), n: file('9') }),
      there: tree({ a: file('1'), c: file('3') }),
    })
    expect(summary(plan.there)).toEqual(['a=2', 'n=9'])
    expect(summary(plan.here)).toEqual(['b=gone', 'c=3'])
    expect(plan.conflicts).toEqual([])
  })

  it('leaves both where both changed, and keeps an edit that meets a deletion', () => {
    const plan = compareSides({
      base: tree({ a: file('1'), b: file('1') }),
      here: tree({ a: file('2') }),
      there: tree({ a: file('3'), b: file('2') }),
    })
    expect(plan.conflicts).toEqual(['a'])
    expect(plan.restored).toEqual(['b'])
    expect([summary(plan.here), summary(plan.there)]).toEqual([['b=2'], []])
  })

  it('puts content of one side and mode of the other together', () => {
    const plan = compareSides({
      base: tree({ a: file('1', 0o644) }),
      here: tree({ a: file('2', 0o644) }),
      there: tree({ a: file('1', 0o755) }),
    })
    expect(plan.conflicts).toEqual([])
    expect(plan.agreed.get('a')).toEqual(file('2', 0o755))
    expect([plan.here.length, plan.there.length]).toEqual([1, 1])
  })

  it('does not put a file where the other side still needs a folder', () => {
    const plan = compareSides({
      base: tree({ d: folder, 'd/x': file('1') }),
      here: tree({ d: file('f') }),
      there: tree({ d: folder, 'd/x': file('2') }),
    })
    expect(plan.conflicts).toEqual(['d', 'd/x'])
    expect([plan.here, plan.there]).toEqual([[], []])
  })

  it('keeps the folder of what is kept', () => {
    const plan = compareSides({
      base: tree({ d: folder, 'd/x': file('1') }),
      here: tree({}),
      there: tree({ d: folder, 'd/x': file('2') }),
    })
    expect(summary(plan.here)).toEqual(['d=folder', 'd/x=2'])
  })
})

const names = fc.constantFrom('a', 'b', 'a/x', 'a/y', 'a/x/p', 'b/q', 'c')
const entries = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('1', '2', '3'), fc.constantFrom(0o644, 0o755))
      .map(([h, m]) => file(h, m)),
  },
  fc.constantFrom<Entry>({ kind: 'link', target: 'c' }, { kind: 'link', target: 'b' }, folder),
)

/** Whatever was drawn, as a tree can be: what lies in something that is no folder is left out. */
const trees = fc.array(fc.tuple(names, entries), { maxLength: 7 }).map((drawn): Tree => {
  const made = new Map<string, Entry>()
  for (const [path, entry] of drawn.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const parents = parentsOf(path).slice(1)
    if (parents.some((parent) => (made.get(parent)?.kind ?? 'folder') !== 'folder')) continue
    for (const parent of parents) made.set(parent, folder)
    made.set(path, entry)
  }
  return made
})

/** As the steps are done: a folder goes only when it is empty, and nothing is put where there is no folder. */
function perform(side: Tree, steps: readonly Step[]): Tree {
  const made = new Map(side)
  for (const { path, from, to } of steps) {
    expect(made.get(path), `${path} is what the step was decided on`).toEqual(from)
    const inside = [...made.keys()].filter((other) => other.startsWith(`${path}/`))
    expect(from?.kind === 'folder' && to?.kind !== 'folder' ? inside : []).toEqual([])
    for (const parent of to === undefined ? [] : parentsOf(path).slice(1))
      expect(made.get(parent)?.kind, `${parent} of ${path}`).toBe('folder')
    if (to === undefined) made.delete(path)
    else made.set(path, to)
  }
  return made
}

describe('for all trees', () => {
  it('no content that a side has and the other did not agree to is lost', () => {
    fc.assert(
      fc.property(trees, trees, trees, (base, here, there) => {
        const plan = compareSides({ base, here, there })
        const after = { here: perform(here, plan.here), there: perform(there, plan.there) }
        const left = new Set(
          [...after.here.values(), ...after.there.values()].flatMap((entry) =>
            entry.kind === 'file' ? [entry.hash] : [],
          ),
        )
        for (const side of [here, there]) {
          for (const [path, entry] of side) {
            if (entry.kind !== 'file') continue
            const agreed = base.get(path)
            if (agreed?.kind === 'file' && agreed.hash === entry.hash) continue
            expect(left, `${path} ${entry.hash}`).toContain(entry.hash)
          }
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('both sides are equal but for conflicts, and the next time has nothing to do', () => {
    fc.assert(
      fc.property(trees, trees, trees, (base, here, there) => {
        const plan = compareSides({ base, here, there })
        const after = { here: perform(here, plan.here), there: perform(there, plan.there) }
        const open = (path: string): boolean =>
          plan.conflicts.some(
            (each) => path === each || path.startsWith(`${each}/`) || each.startsWith(`${path}/`),
          )
        for (const path of new Set([...after.here.keys(), ...after.there.keys()])) {
          if (open(path)) continue
          expect(isSame(after.here.get(path), after.there.get(path)), path).toBe(true)
          expect(plan.agreed.get(path)).toEqual(after.here.get(path))
        }
        const kept = plan.conflicts.flatMap((path) => {
          const entry = base.get(path)
          return entry === undefined ? [] : [[path, entry] as const]
        })
        const again = compareSides({ base: new Map([...plan.agreed, ...kept]), ...after })
        expect([again.here, again.there]).toEqual([[], []])
        expect(again.conflicts.toSorted()).toEqual(plan.conflicts.toSorted())
      }),
      { numRuns: 1000 },
    )
  })
})
