import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { listFiles } from '../src/sync/apply.ts'
import { parentsOf } from '../src/sync/rules.ts'
import { statAt } from '../src/sync/scan.ts'
import { syncBoth } from '../src/sync/both-ways.ts'
import type { Remote } from '../src/sync/remote.ts'
import { createSyncStage, missingRsync, type SyncStage } from './sync-stage.ts'

type Side = 'here' | 'there'

interface Edit {
  readonly side: Side
  readonly path: string
  readonly kind: 'write' | 'remove' | 'chmod' | 'link'
}

interface Round {
  readonly before: readonly Edit[]
  /** Done by somebody while the n-th call to the other side is made. */
  readonly during: readonly { readonly at: number; readonly after: boolean; readonly edit: Edit }[]
  /** The call at which holm is killed, if it is. */
  readonly killedAt: number | undefined
}

const edit: fc.Arbitrary<Edit> = fc.record({
  side: fc.constantFrom<Side>('here', 'there'),
  path: fc.constantFrom('a', 'b', "d/it's", 'd/e f/x', 'd/e f', 'd', 'n\newline'),
  kind: fc.constantFrom<Edit['kind']>('write', 'write', 'write', 'remove', 'chmod', 'link'),
})
const rounds: fc.Arbitrary<Round[]> = fc.array(
  fc.record({
    before: fc.array(edit, { maxLength: 6 }),
    during: fc.array(fc.record({ at: fc.nat(4), after: fc.boolean(), edit }), { maxLength: 3 }),
    killedAt: fc.option(fc.nat(5), { nil: undefined, freq: 3 }),
  }),
  { minLength: 2, maxLength: 4 },
)

/** Every content that somebody wrote and nobody overwrote or removed where it was, until both sides have it. */
function createModel(stage: SyncStage) {
  const alive = new Map<string, { readonly side: Side; readonly path: string }>()
  let count = 0
  const forget = (side: Side, path: string): void => {
    for (const [content, at] of alive)
      if (at.side === side && (at.path === path || at.path.startsWith(`${path}/`))) alive.delete(content)
  }
  const clear = (side: Side, path: string): void => {
    // Also what came from the other side: whoever replaces it has seen it.
    const full = join(stage[side], path)
    for (const content of [contentAt(full), ...contentsOf(full)])
      if (content !== undefined) alive.delete(content)
    rmSync(join(stage[side], path), { recursive: true, force: true })
    forget(side, path)
  }
  const makeRoom = (side: Side, path: string): void => {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      const stat = statAt(join(stage[side], parent))
      if (stat && !stat.isDirectory()) clear(side, parent)
    }
    clear(side, path)
    mkdirSync(dirname(join(stage[side], path)), { recursive: true })
  }
  return {
    apply({ side, path, kind }: Edit): void {
      const full = join(stage[side], path)
      const hasFolder = parentsOf(path).every(
        (parent) => statAt(join(stage[side], parent))?.isDirectory() === true,
      )
      if (!hasFolder && kind !== 'write' && kind !== 'link') return
      if (kind === 'chmod') {
        if (statAt(full)?.isFile()) chmodSync(full, 0o755)
      } else if (kind === 'remove') clear(side, path)
      else {
        makeRoom(side, path)
        if (kind === 'link') return symlinkSync('b', full)
        const content = `content ${(count += 1)} of ${side}`
        writeFileSync(full, content)
        alive.set(content, { side, path })
      }
    },
    /** What is nowhere any more. */
    lost(): string[] {
      const found = new Set([stage.here, stage.there, stage.kept].flatMap((folder) => contentsOf(folder)))
      return [...alive.keys()].filter((content) => !found.has(content))
    },
    /** What both sides have may be overwritten by either. */
    settle(): void {
      for (const [content, { path }] of alive)
        if ([stage.here, stage.there].every((folder) => contentAt(join(folder, path)) === content))
          alive.delete(content)
    },
  }
}

function contentAt(full: string): string | undefined {
  return statAt(full)?.isFile() ? readFileSync(full, 'utf8') : undefined
}

function contentsOf(folder: string): string[] {
  return listFiles(folder).flatMap((path) => contentAt(join(folder, path)) ?? [])
}

/** The other side, with somebody at work there and here, and a holm that may not live to see the end. */
function disturb(remote: Remote, { during, killedAt }: Round, apply: (edit: Edit) => void): Remote {
  let calls = 0
  const around = <Args extends readonly unknown[], Result>(work: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      const call = calls
      calls += 1
      for (const each of during) if (each.at === call && !each.after) apply(each.edit)
      if (killedAt === call) throw new Error('killed')
      const result = await work(...args)
      for (const each of during) if (each.at === call && each.after) apply(each.edit)
      return result
    }
  }
  return {
    pull: around(remote.pull),
    push: around(remote.push),
    send: around(remote.send),
    remove: around(remote.remove),
    collect: around(remote.collect),
  }
}

async function expectNothingLost(drawn: readonly Round[], stage: SyncStage): Promise<void> {
  try {
    // A side that is empty all of a sudden is refused: this is never.
    for (const folder of [stage.here, stage.there]) writeFileSync(join(folder, 'anchor'), '')
    const model = createModel(stage)
    for (const round of drawn) {
      for (const each of round.before) model.apply(each)
      const remote = disturb(stage.remote, round, model.apply)
      const isKilled = await syncBoth(stage.input({ remote })).then(
        () => false,
        () => true,
      )
      // What a killed run put aside is found by the next.
      if (isKilled) await syncBoth(stage.input())
      expect(model.lost()).toEqual([])
      model.settle()
    }
    const last = await syncBoth(stage.input())
    expect(model.lost()).toEqual([])
    const isEqual = JSON.stringify(stage.read(stage.there)) === JSON.stringify(stage.read(stage.here))
    expect(isEqual || last.conflicts.length > 0).toBe(true)
    expect(existsSync(join(stage.there, '.holm-sync'))).toBe(false)
  } finally {
    stage.dispose()
  }
}

it('nothing is lost, whoever works meanwhile and wherever holm is killed', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(rounds, (drawn) => expectNothingLost(drawn, createSyncStage({ standIn: true }))),
    { numRuns: Number(process.env['HOLM_TEST_SYNC_RUNS'] ?? 40) },
  )
})

it('nor with the real rsync', { timeout: 180_000 }, async (ctx) => {
  const reason = missingRsync()
  if (reason !== undefined) ctx.skip(reason)
  await fc.assert(
    fc.asyncProperty(rounds, (drawn) => expectNothingLost(drawn, createSyncStage())),
    { numRuns: 3 },
  )
})
