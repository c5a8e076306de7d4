import { errorTable } from '@holm/core'
import type { ErrorCode, Table } from '@holm/core'
import type { Outcome } from './engine.ts'
import type { Direction } from './session.ts'

/** How it ended for one worker: exactly one of the last three. */
export interface SyncEnd {
  readonly name: string
  readonly direction: Direction
  readonly outcome?: Outcome
  /** Its files are the worktree's own. */
  readonly mountedAt?: string
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint?: string }
}

export interface Report {
  readonly text: string
  readonly table: Table
  /** What somebody has to know or do, a line each. */
  readonly notes: readonly string[]
}

export function describeEnds(ends: readonly SyncEnd[], { dryRun }: { readonly dryRun: boolean }): Report {
  const paths = dryRun ? ends.flatMap(plannedOf) : []
  const notes = ends.flatMap(notesOf)
  return {
    notes,
    text: [...paths, ...notes].join('\n'),
    table: {
      columns: ['name', dryRun ? 'would be' : 'status', 'sent', 'received', 'conflicts'],
      rows: ends.map(({ name, outcome, mountedAt, error }) => [
        name,
        error
          ? `${error.code}: ${error.message}`
          : mountedAt === undefined
            ? statusOf(outcome)
            : `mounted at ${mountedAt}`,
        countOf(outcome?.there),
        countOf(outcome?.here),
        countOf(outcome?.conflicts),
      ]),
    },
  }
}

function statusOf(outcome: Outcome | undefined): string {
  if (outcome === undefined) return ''
  if (outcome.conflicts.length > 0) return 'in conflict'
  return outcome.here.length + outcome.there.length === 0 ? 'equal' : 'synchronised'
}

function countOf(items: readonly unknown[] | undefined): string {
  return items === undefined ? '' : String(items.length)
}

function plannedOf({ name, outcome }: SyncEnd): string[] {
  if (outcome === undefined) return []
  return [
    ...outcome.there.map((path) => `${name}: send     ${path}`),
    ...outcome.here.map((path) => `${name}: receive  ${path}`),
  ]
}

function notesOf({ name, outcome, mountedAt, error }: SyncEnd): string[] {
  if (mountedAt !== undefined)
    return [`${name}: nothing to do, its files are mounted at ${mountedAt}: both sides are the same folder`]
  if (error !== undefined) return error.hint === undefined ? [] : [`${name}: ${error.hint}`]
  if (outcome === undefined) return []
  const { conflicts, restored, disturbed, kept, skipped } = outcome
  return [
    ...conflicts.map(
      ({ path, there }) =>
        `${name}: conflict  ${path}: both sides changed it; a copy of the other is ${there}`,
    ),
    ...(conflicts.length === 0
      ? []
      : [
          `${name}: to take one side: holm sync ${name} PATH for this one, holm sync-back ${name} PATH for the other`,
        ]),
    ...restored.map((path) => `${name}: restored  ${path}: deleted on one side, changed on the other`),
    ...disturbed.map((path) => `${name}: left      ${path}: it changed meanwhile, the next time decides`),
    ...kept.map((path) => `${name}: kept      ${path}`),
    ...skipped.map(
      (path) => `${name}: skipped   ${path}: a link that leads out of the folder, or a name that is no text`,
    ),
  ]
}

/** 0 when all went well; else that of the first failure, or of conflicts. */
export function exitCodeOf(ends: readonly SyncEnd[]): number {
  const failed = ends.find(({ error }) => error)?.error
  if (failed) return errorTable[failed.code].exit
  const inConflict = ends.some(({ outcome }) => (outcome?.conflicts.length ?? 0) > 0)
  return inConflict ? errorTable.HOLM_SYNC_CONFLICT.exit : 0
}
