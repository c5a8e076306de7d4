import { randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Git } from './git.ts'
import { parseStatus, type WorkStatus } from './parse.ts'
import type { WorkspaceRecord } from './record.ts'

/** Ignored files never count; untracked ones do unless they are left out. */
export async function statusOf(git: Git, path: string, untracked: 'all' | 'no' = 'all'): Promise<WorkStatus> {
  const args = ['status', '--porcelain=v2', '--branch', `--untracked-files=${untracked}`, '-z']
  return parseStatus((await git(path, args, { env: { GIT_OPTIONAL_LOCKS: '0' } })).stdout)
}

/** What would be lost with the workspace. */
export interface Unsaved {
  readonly changed: readonly string[]
  /** Commits that are in no other branch and in nothing that was fetched or pushed. */
  readonly commits: number
}

export async function unsavedWork(git: Git, record: WorkspaceRecord): Promise<Unsaved> {
  if (!existsSync(record.path))
    return { changed: [], commits: await lonelyCommits(git, record, record.branch) }
  const { changed, commit } = await statusOf(git, record.path)
  return { changed, commits: commit === undefined ? 0 : await lonelyCommits(git, record, commit) }
}

async function lonelyCommits(
  git: Git,
  { repository, branch }: WorkspaceRecord,
  tip: string,
): Promise<number> {
  const others = [`--exclude=${branch}`, '--branches', '--remotes', '--tags']
  const count = await git.ask(repository, ['rev-list', '--count', tip, '--not', ...others])
  return Number(count ?? 0)
}

/**
 * Keeps everything that is in the worktree, untracked files included, as one commit on top of its head under
 * `refs/holm/recovery/`, and returns that name. The worktree, its index and its branch stay as they are.
 */
export async function saveWork(
  git: Git,
  { path, name, repository, branch }: WorkspaceRecord,
): Promise<string> {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const reference = `refs/holm/recovery/${name}-${stamp}`
  if (!existsSync(path)) {
    await git(repository, ['update-ref', reference, `refs/heads/${branch}`])
    return reference
  }
  return withWholeIndex(git, path, async (env) => {
    const tree = await git.text(path, ['write-tree'], { env })
    const head = await git.text(path, ['rev-parse', 'HEAD'])
    const same = tree === (await git.text(path, ['rev-parse', 'HEAD^{tree}']))
    const message = `Work in the workspace ${name} that was not committed`
    const commit = same
      ? head
      : await git.text(path, ['commit-tree', tree, '-p', head, '-m', message], {
          env: { ...env, ...identity },
        })
    await git(repository, ['update-ref', reference, commit])
    return reference
  })
}

/** An index of its own that holds everything in the worktree as it is now, for as long as `work` runs. */
export async function withWholeIndex<T>(
  git: Git,
  path: string,
  work: (env: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const index = join(tmpdir(), `holm-index-${randomUUID()}`)
  const env = { GIT_INDEX_FILE: index }
  try {
    await git(path, ['read-tree', 'HEAD'], { env })
    await git(path, ['add', '--all'], { env })
    return await work(env)
  } finally {
    rmSync(index, { force: true })
    rmSync(`${index}.lock`, { force: true })
  }
}

/** A recovery commit is holm's: it must not fail where the user has told git no name. */
const identity = {
  GIT_AUTHOR_NAME: 'holm',
  GIT_AUTHOR_EMAIL: 'holm@localhost',
  GIT_COMMITTER_NAME: 'holm',
  GIT_COMMITTER_EMAIL: 'holm@localhost',
}
