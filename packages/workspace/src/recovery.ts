import { randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gitInside, type Git, type WorktreePlace } from './git.ts'
import { parseStatus, type WorkStatus } from './parse.ts'
import { placeOf } from './place.ts'
import type { WorkspaceRecord } from './record.ts'

/** Ignored files never count. Of repositories inside, only the commit that is checked out: their own configuration runs programs. */
export async function statusOf(git: Git, path: string, untracked: 'all' | 'no' = 'all'): Promise<WorkStatus> {
  const args = [
    'status',
    '--porcelain=v2',
    '--branch',
    `--untracked-files=${untracked}`,
    '--ignore-submodules=dirty',
    '-z',
  ]
  return parseStatus((await git(path, args, { env: { GIT_OPTIONAL_LOCKS: '0' } })).stdout)
}

/** What would be lost with the workspace. */
export interface Unsaved {
  readonly changed: readonly string[]
  /** Commits that are in no other branch and in nothing that was fetched or pushed. */
  readonly commits: number
  /** Repositories inside the worktree: what is in them is kept by nobody. */
  readonly nested: readonly string[]
}

export async function unsavedWork(git: Git, record: WorkspaceRecord): Promise<Unsaved> {
  const place = placeOf(record)
  const none = { changed: [], nested: [] }
  if (place === undefined)
    return { ...none, commits: await lonelyCommits(git, record, await tipsOf(git, record)) }
  const inside = gitInside(git, place)
  const { changed, commit } = await statusOf(inside, record.path)
  const tips = [...(commit === undefined ? [] : [commit]), ...(await tipsOf(git, record))]
  const nested = (await nestedIn(inside, place)).filter((path) => existsSync(join(record.path, path, '.git')))
  return { changed, nested, commits: await lonelyCommits(git, record, tips) }
}

/** The branch, which whoever works there may have left, moved or removed. */
async function tipsOf(git: Git, { repository, branch }: WorkspaceRecord): Promise<string[]> {
  const tip = await git.ask(repository, ['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`])
  return tip === undefined ? [] : [tip]
}

async function lonelyCommits(
  git: Git,
  { repository, branch }: WorkspaceRecord,
  tips: readonly string[],
): Promise<number> {
  if (tips.length === 0) return 0
  const others = [`--exclude=${branch}`, '--branches', '--remotes', '--tags']
  return Number(await git.text(repository, ['rev-list', '--count', ...tips, '--not', ...others]))
}

/** Paths of repositories inside: those that git knows as submodules, and those that lie there untracked. */
async function nestedIn(
  inside: Git,
  { path }: WorktreePlace,
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const index = (await inside(path, ['ls-files', '--stage', '-z'], { env })).stdout.split('\0')
  const links = index
    .filter((line) => line.startsWith('160000 '))
    .map((line) => line.slice(line.indexOf('\t') + 1))
  const others = (
    await inside(path, ['ls-files', '--others', '--exclude-standard', '-z'], { env })
  ).stdout.split('\0')
  return [...links, ...others.filter((name) => name.endsWith('/')).map((name) => name.slice(0, -1))]
}

/**
 * Keeps everything that is in the worktree, untracked files included, and the branch, as one commit under `refs/holm/recovery/`, and
 * returns that name. The worktree, its index and its branch stay as they are.
 */
export async function saveWork(git: Git, record: WorkspaceRecord): Promise<string> {
  const { name, repository } = record
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const reference = `refs/holm/recovery/${name}-${stamp}`
  const place = placeOf(record)
  const tips = await tipsOf(git, record)
  const commit = place === undefined ? tips[0] : await commitAll(git, { place, tips, name })
  if (commit !== undefined) await git(repository, ['update-ref', reference, commit])
  return reference
}

interface Everything {
  readonly place: WorktreePlace
  readonly tips: readonly string[]
  readonly name: string
}

/** A commit of the worktree as it is, on top of its head and of the branch where that is elsewhere. */
function commitAll(git: Git, { place, tips, name }: Everything): Promise<string> {
  return withWholeIndex(git, place, async (inside, env) => {
    const { path } = place
    const tree = await inside.text(path, ['write-tree'], { env })
    const head = await inside.ask(path, ['rev-parse', '--verify', '--quiet', 'HEAD'])
    const parents = [...new Set([...(head === undefined ? [] : [head]), ...tips])]
    const [only] = parents
    if (
      parents.length === 1 &&
      only !== undefined &&
      tree === (await inside.text(path, ['rev-parse', `${only}^{tree}`]))
    )
      return only
    const message = `Work in the workspace ${name} that was not committed`
    const words = [...parents.flatMap((parent) => ['-p', parent]), '-m', message]
    return inside.text(path, ['commit-tree', tree, ...words], { env: { ...env, ...identity } })
  })
}

/**
 * An index of its own that holds everything in the worktree as it is now, for as long as `work` runs. Repositories inside stay as
 * they were committed: to look into one is to run what its configuration says.
 */
export async function withWholeIndex<T>(
  git: Git,
  place: WorktreePlace,
  work: (inside: Git, env: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const { path } = place
  const inside = gitInside(git, place)
  const index = join(tmpdir(), `holm-index-${randomUUID()}`)
  const env = { GIT_INDEX_FILE: index }
  try {
    const head = await inside.ask(path, ['rev-parse', '--verify', '--quiet', 'HEAD'])
    await inside(path, ['read-tree', ...(head === undefined ? ['--empty'] : [head])], { env })
    await addAll(inside, place, env)
    return await work(inside, env)
  } finally {
    rmSync(index, { force: true })
    rmSync(`${index}.lock`, { force: true })
  }
}

/** Adds everything but repositories inside, which stay as they were committed. */
export async function addAll(
  inside: Git,
  place: WorktreePlace,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const nested = new Set([...(await nestedIn(inside, place)), ...(await nestedIn(inside, place, env))])
  const left = [...nested].map((name) => `:(top,exclude,literal)${name}`)
  await inside(place.path, ['add', '--all', '--', ':(top)', ...left], { env })
}

/** A recovery commit is holm's: it must not fail where the user has told git no name. */
const identity = {
  GIT_AUTHOR_NAME: 'holm',
  GIT_AUTHOR_EMAIL: 'holm@localhost',
  GIT_COMMITTER_NAME: 'holm',
  GIT_COMMITTER_EMAIL: 'holm@localhost',
}
