import { existsSync, lstatSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HolmError } from '@holm/core'
import type { Git, WorktreePlace } from '../git.ts'
import { branchOf } from '../names.ts'
import { placeOf } from '../place.ts'
import type { WorkspaceRecord } from '../record.ts'
import { lockReason } from '../worktree.ts'
import { hasSubmodules, moveWithSubmodules } from './submodules.ts'

/** The record under another name: a folder beside the old one, and another branch where that has holm's name. Pure. */
export function renamedRecord(record: WorkspaceRecord, name: string): WorkspaceRecord {
  const { renaming: _renaming, ...rest } = record
  const branch = record.branch === branchOf(record.name) ? branchOf(name) : record.branch
  return { ...rest, name, branch, path: join(dirname(record.path), name) }
}

/** HOLM_FILE_DENIED for a worktree that somebody has locked; holm's own lock is no obstacle: see `addWorktree`. */
export function assertUnlocked({ gitDir, path }: WorktreePlace): void {
  const file = join(gitDir, 'locked')
  const status = lstatSync(file, { throwIfNoEntry: false })
  if (status === undefined) return
  // Whoever works inside could have put anything there.
  const reason = status.isFile() && status.size < 10_000 ? readFileSync(file, 'utf8').trim() : 'no file'
  if (reason.startsWith(lockReason(''))) return
  throw new HolmError('HOLM_FILE_DENIED', `the worktree ${path} is locked: ${reason || 'nobody said why'}`, {
    hint: `Unlock it, when that may be: git worktree unlock ${JSON.stringify(path)}`,
    details: { path, reason },
  })
}

/** Takes a moment each, and is never interrupted. */
const timeoutMs = 60_000

/** One that is not there, or has its new name, is left alone. */
export async function moveBranch(git: Git, from: WorkspaceRecord, to: WorkspaceRecord): Promise<void> {
  if (from.branch === to.branch) return
  if (!(await hasBranch(git, from)) || (await hasBranch(git, to))) return
  await git(from.repository, ['branch', '-m', from.branch, to.branch], { timeoutMs })
}

async function hasBranch(git: Git, { repository, branch }: WorkspaceRecord): Promise<boolean> {
  return (
    (await git.ask(repository, ['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`])) !== undefined
  )
}

/** The same for the folder, with what git keeps of it. */
export async function moveWorktree(git: Git, from: WorkspaceRecord, to: WorkspaceRecord): Promise<void> {
  const { repository } = from
  if (!existsSync(from.path) || existsSync(to.path)) return
  const place = placeOf(from)
  // A git that was killed in between has moved the folder, and not written so.
  if (place === undefined) renameSync(from.path, to.path)
  else if (await hasSubmodules(git, place)) await moveWithSubmodules(git, place, { from, to })
  else await git(repository, ['worktree', 'move', '--force', '--force', from.path, to.path], { timeoutMs })
  if (placeOf(to) === undefined) {
    throw new HolmError('HOLM_COMMAND_FAILED', `git does not know the worktree at ${to.path}`, {
      hint: `Look at what it knows: git -C ${JSON.stringify(repository)} worktree list`,
    })
  }
  await git(repository, ['worktree', 'unlock', to.path], { timeoutMs, codes: [128] })
  await git(repository, ['worktree', 'lock', '--reason', lockReason(to.name), to.path], {
    timeoutMs,
    codes: [128],
  })
}
