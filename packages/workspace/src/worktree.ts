import {
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  rmSync,
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
  if (taken !== undefined)
    throw conflict(`the branch ${branch} exists already`, `git branch -m ${branch} OTHER`)
  if (existsSync(path)) throw conflict(`${path} exists already`, `mv ${path} OTHER`)
}

function conflict(message: string, command: string): HolmError {
  return new HolmError('HOLM_WORKSPACE_CONFLICT', message, {
    hint: `Choose another name for the workspace, or make place: ${command}`,
  })
}

/** Adds branch and worktree. The folder of worktrees ignores itself, so that the repository stays clean. */
export async function addWorktree(git: Git, record: WorkspaceRecord, signal?: AbortSignal): Promise<void> {
  const { repository, path, branch, start, name } = record
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true })
  const ignore = join(folder, '.gitignore')
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n')
  // Locked: inside the environment it lies elsewhere, and git there must not take it for gone.
  const lock = ['--lock', '--reason', `holm workspace ${name}`]
  await git(repository, ['worktree', 'add', '--quiet', ...lock, '--no-track', '-b', branch, path, start], {
    signal,
  })
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

/** Gives the worktree the ignored files that work needs. What is tracked or missing is left alone. */
export function bringIgnored(
  { repository, path }: WorkspaceRecord,
  { copy = ['.env'], link = [] }: WorkspaceConfig,
): void {
  for (const item of copy) bring(join(repository, item), join(path, item), copyTree)
  for (const item of link)
    bring(join(repository, item), join(path, item), (from, to) => symlinkSync(from, to))
}

function bring(from: string, to: string, how: (from: string, to: string) => void): void {
  if (!existsSync(from) || isThere(to)) return
  mkdirSync(dirname(to), { recursive: true })
  how(from, to)
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
