import {
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { HolmError } from '@holm/core'
import type { Git } from './git.ts'
import type { WorkspaceConfig } from './options.ts'
import type { WorkspaceRecord } from './record.ts'

/** Where the worktree of a workspace lies. */
export function worktreePath(root: string, name: string, { folder = '.worktree' }: WorkspaceConfig): string {
  return join(isAbsolute(folder) ? folder : join(root, folder), name)
}

/** HOLM_WORKSPACE_CONFLICT for a branch or a folder that is there already. */
export async function assertFree(git: Git, { repository, branch, path }: WorkspaceRecord): Promise<void> {
  const taken = await git.ask(repository, ['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`])
  if (taken !== undefined) throw branchTaken(branch)
  if (existsSync(path)) throw folderTaken(path)
}

/**
 * Takes the folder and the branch, each in one step that only one can win: from here on they are this workspace's to remove.
 * HOLM_WORKSPACE_CONFLICT for what came up since `assertFree`. The folder of worktrees ignores itself, so that the repository stays
 * clean. Never interrupted in between: it takes a moment.
 */
export async function claimPlaces(git: Git, record: WorkspaceRecord): Promise<void> {
  const { repository, path, branch, start } = record
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true })
  const ignore = join(folder, '.gitignore')
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n')
  claimFolder(path)
  try {
    await git(repository, ['branch', '--quiet', '--no-track', branch, start])
  } catch (error) {
    rmdirSync(path)
    const taken = await git.ask(repository, ['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`])
    throw taken === undefined ? error : branchTaken(branch)
  }
}

function claimFolder(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? folderTaken(path) : error
  }
}

function branchTaken(branch: string): HolmError {
  return conflict(`the branch ${branch} exists already`, `git branch -m ${branch} OTHER`)
}

function folderTaken(path: string): HolmError {
  return conflict(`${path} exists already`, `mv ${JSON.stringify(path)} OTHER`)
}

function conflict(message: string, command: string): HolmError {
  return new HolmError('HOLM_WORKSPACE_CONFLICT', message, {
    hint: `Choose another name for the workspace, or make place: ${command}`,
  })
}

/** Why git is not to touch the worktree of a workspace. */
export function lockReason(name: string): string {
  return `holm workspace ${name}`
}

/** Fills the places that were claimed. */
export async function addWorktree(git: Git, record: WorkspaceRecord, signal?: AbortSignal): Promise<void> {
  const { repository, path, branch, name } = record
  // Locked: inside the environment it lies elsewhere, and git there must not take it for gone.
  const lock = ['--lock', '--reason', lockReason(name)]
  await git(repository, ['worktree', 'add', '--quiet', ...lock, path, branch], { signal })
  if (existsSync(join(path, '.gitmodules')))
    await git(path, ['submodule', 'update', '--quiet', '--init', '--recursive'], { signal })
}

/** Removes worktree and branch; what is not there is no error. The work in them is lost: see recovery.ts. */
export async function removeWorktree(git: Git, { repository, path, branch }: WorkspaceRecord): Promise<void> {
  if (!existsSync(repository)) return rmSync(path, { recursive: true, force: true })
  await git(repository, ['worktree', 'unlock', path], { codes: [128] })
  // Twice --force: also with changes, and when another git locked it meanwhile.
  await git(repository, ['worktree', 'remove', '--force', '--force', path], { codes: [128] })
  rmSync(path, { recursive: true, force: true })
  await git(repository, ['worktree', 'prune'])
  await git(repository, ['branch', '--quiet', '-D', branch], { codes: [1] })
}

/**
 * Gives the worktree the ignored files that work needs. What is tracked or missing is left alone, and nothing is read or written
 * outside, whatever links the repository holds.
 */
export async function bringIgnored(
  { repository, path }: WorkspaceRecord,
  { copy = ['.env'], link = [] }: WorkspaceConfig,
): Promise<void> {
  const { isReallyBelow } = await import('@holm/core/host')
  const bring = (item: string, how: (from: string, to: string) => void): void => {
    const [from, to] = [join(repository, item), join(path, item)]
    if (!existsSync(from) || isThere(to)) return
    if (!isReallyBelow(repository, from) || !isReallyBelow(path, to)) return
    mkdirSync(dirname(to), { recursive: true })
    how(from, to)
  }
  for (const item of copy) bring(item, copyTree)
  for (const item of link) bring(item, (from, to) => symlinkSync(from, to))
}

function copyTree(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
  })
}

/** Also for a link that leads nowhere. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
