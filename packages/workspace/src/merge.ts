import { HolmError } from '@holm/core'
import type { MergeOptions, MergeResult } from './api.ts'
import { gitInside, type Git } from './git.ts'
import { presentPlace } from './place.ts'
import type { WorkspaceRecord } from './record.ts'
import { addAll, statusOf } from './recovery.ts'
import { isAncestor, resolveRevision } from './repository.ts'

/** Merges the branch of a workspace in the main worktree; a conflict leaves that as it was. */
export async function mergeWorkspace(
  git: Git,
  record: WorkspaceRecord,
  options: MergeOptions = {},
): Promise<MergeResult> {
  const { name, repository, branch, into } = record
  await commitAll(git, record, options.message)
  await assertReady(git, record)
  const tip = await resolveRevision(git, repository, branch)
  const before = await resolveRevision(git, repository, into)
  if (await isAncestor(git, repository, [tip, before])) return { name, into, commit: before, merged: false }
  await merge(git, record, options.squash === true)
  return { name, into, commit: await resolveRevision(git, repository, into), merged: true }
}

/** Without hooks: they may be files of the worktree, which others wrote. */
async function commitAll(git: Git, record: WorkspaceRecord, message: string | undefined): Promise<void> {
  const { path, name } = record
  const place = presentPlace(record)
  const inside = gitInside(git, place)
  const { changed } = await statusOf(inside, path)
  if (changed.length === 0) return
  if (message === undefined) {
    throw new HolmError(
      'HOLM_WORKSPACE_UNSAVED',
      `${changed.length} changed files of ${name} are in no commit`,
      {
        hint: `Commit them, or let holm do it: holm workspace merge ${name} --message "what was done"`,
        details: { name, changed },
      },
    )
  }
  await addAll(inside, place)
  await inside(path, ['commit', '--quiet', '--message', message])
}

/** The main worktree must be on the branch, with nothing in it that a merge could touch. */
async function assertReady(git: Git, { repository, into }: WorkspaceRecord): Promise<void> {
  const { branch, changed } = await statusOf(git, repository, 'no')
  if (branch !== into) {
    throw new HolmError(
      'HOLM_WORKSPACE_UNSAVED',
      `${repository} is on ${branch ?? 'no branch'}, not on ${into}`,
      {
        hint: `Go there first: git -C ${JSON.stringify(repository)} switch ${into}`,
        details: { repository, branch, into },
      },
    )
  }
  if (changed.length === 0) return
  throw new HolmError('HOLM_WORKSPACE_UNSAVED', `${repository} has changes that are in no commit`, {
    hint: 'Commit or stash them, then merge again.',
    details: { repository },
  })
}

/** Hooks may lie in the worktree, where what is being merged would choose what they do. */
const withoutHooks = ['core.hooksPath=/dev/null']

async function merge(git: Git, record: WorkspaceRecord, squash: boolean): Promise<void> {
  const { repository, branch, name } = record
  const message = `Merge the workspace ${name}`
  const how = squash ? ['--squash'] : ['--no-ff', '--message', message]
  const { code, stdout, stderr } = await git(repository, ['merge', '--quiet', ...how, branch], {
    codes: [1, 2, 128],
    config: withoutHooks,
  })
  if (code === 0) {
    if (squash) await git(repository, ['commit', '--quiet', '--message', message], { config: withoutHooks })
    return
  }
  const conflicts = await git.text(repository, ['diff', '--name-only', '--diff-filter=U', '-z'])
  await git(repository, squash ? ['reset', '--quiet', '--merge'] : ['merge', '--abort'], { codes: [128] })
  throw refused(record, conflicts.split('\0').filter(Boolean), stderr.trim() || stdout.trim())
}

function refused(
  { name, branch, into, path }: WorkspaceRecord,
  files: readonly string[],
  said: string,
): HolmError {
  if (files.length === 0)
    return new HolmError('HOLM_COMMAND_FAILED', `git could not merge ${branch} into ${into}: ${said}`, {
      hint: 'Nothing was changed. Do what git says, then merge again.',
      details: { name },
    })
  return new HolmError('HOLM_MERGE_CONFLICT', `${branch} and ${into} both changed ${files.join(', ')}`, {
    hint: `Nothing was merged. Bring ${into} into the workspace and settle it there: git -C ${JSON.stringify(path)} merge ${into}`,
    details: { name, files },
  })
}
