import { HolmError } from '@holm/core'
import type { Git } from './git.ts'
import { parseWorktrees, type WorktreeEntry } from './parse.ts'

export interface Repository {
  /** Its main worktree, absolute. */
  readonly root: string
  readonly commonDir: string
  /** The branch of the main worktree. */
  readonly branch: string
}

/** The repository that a folder is in, from any of its worktrees. HOLM_REPOSITORY_NOT_FOUND. */
export async function findRepository(git: Git, folder: string): Promise<Repository> {
  const commonDir = await git.ask(folder, ['rev-parse', '--path-format=absolute', '--git-common-dir'])
  if (commonDir === undefined) {
    throw new HolmError('HOLM_REPOSITORY_NOT_FOUND', `${folder} is in no git repository`, {
      hint: 'Go into a repository, or make one: git init && git add -A && git commit -m first',
      details: { folder },
    })
  }
  const [main] = await listWorktrees(git, folder)
  if (main === undefined || main.bare || main.head === undefined || /^0+$/.test(main.head)) {
    throw new HolmError(
      'HOLM_REPOSITORY_NOT_FOUND',
      `the repository ${commonDir} has no worktree with a commit`,
      {
        hint: 'Clone it without --bare, and make a first commit.',
        details: { folder: commonDir },
      },
    )
  }
  return { root: main.path, commonDir, branch: main.branch ?? main.head }
}

export async function listWorktrees(git: Git, folder: string): Promise<WorktreeEntry[]> {
  return parseWorktrees((await git(folder, ['worktree', 'list', '--porcelain', '-z'])).stdout)
}

export interface Start {
  /** Full id. */
  readonly commit: string
  /** Why it is not what the user may expect. */
  readonly warnings: readonly string[]
}

/** How long the network may take, milliseconds. */
const fetchTimeoutMs = 60_000

/** The commit that a revision names. HOLM_REVISION_NOT_FOUND. */
export async function resolveRevision(git: Git, root: string, revision: string): Promise<string> {
  const commit = await git.ask(root, [
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${revision}^{commit}`,
  ])
  if (commit !== undefined) return commit
  throw new HolmError(
    'HOLM_REVISION_NOT_FOUND',
    `${root} has no branch, tag or commit ${JSON.stringify(revision)}`,
    {
      hint: 'See what there is: git branch --all; or get it first: git fetch',
      details: { revision },
    },
  )
}

/**
 * Where new work starts: the newest of the main worktree's branch and what it follows elsewhere, fetched first. Without a
 * network it is what is here, and said so.
 */
export async function findStart(
  git: Git,
  { root, branch }: Repository,
  { fetch, signal }: { readonly fetch: boolean; readonly signal?: AbortSignal | undefined },
): Promise<Start> {
  const local = await resolveRevision(git, root, branch)
  const remote = await git.ask(root, ['config', `branch.${branch}.remote`])
  if (remote === undefined || remote === '.') return { commit: local, warnings: [] }
  const warnings = fetch ? await fetchBranch(git, { root, remote, signal }) : []
  const upstream = await git.ask(root, ['rev-parse', '--verify', '--quiet', `${branch}@{upstream}^{commit}`])
  if (upstream === undefined || upstream === local) return { commit: local, warnings }
  if (await isAncestor(git, root, [local, upstream])) return { commit: upstream, warnings }
  if (await isAncestor(git, root, [upstream, local])) return { commit: local, warnings }
  return {
    commit: local,
    warnings: [
      ...warnings,
      `${branch} and what it follows on ${remote} went apart; the workspace starts from the one here`,
    ],
  }
}

async function fetchBranch(
  git: Git,
  {
    root,
    remote,
    signal,
  }: { readonly root: string; readonly remote: string; readonly signal: AbortSignal | undefined },
): Promise<string[]> {
  try {
    await git(root, ['fetch', '--quiet', remote], { signal, timeoutMs: fetchTimeoutMs })
    return []
  } catch (error) {
    if (signal?.aborted) throw error
    return [
      `${remote} could not be fetched, the workspace starts from what is here: ${(error as Error).message}`,
    ]
  }
}

/** Whether everything of the first commit is in the second. */
export async function isAncestor(
  git: Git,
  root: string,
  commits: readonly [string, string],
): Promise<boolean> {
  const { code } = await git(root, ['merge-base', '--is-ancestor', ...commits], { codes: [1] })
  return code === 0
}
