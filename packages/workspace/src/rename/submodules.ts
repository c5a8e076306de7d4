import { lstatSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { gitInside, type Git, type WorktreePlace } from '../git.ts'
import type { WorkspaceRecord } from '../record.ts'

/** Whether git refuses to move the worktree: for what its index names, or for what was cloned into it. */
export async function hasSubmodules(git: Git, place: WorktreePlace): Promise<boolean> {
  if (isFolder(join(place.gitDir, 'modules'))) return true
  const index = await gitInside(git, place)(place.path, ['ls-files', '--stage', '-z'])
  return index.stdout.split('\0').some((line) => line.startsWith('160000 '))
}

/** What git does for a worktree that has none, and what it would have to do for those that have. Can be repeated. */
export async function moveWithSubmodules(
  git: Git,
  { gitDir }: WorktreePlace,
  { from, to }: { readonly from: WorkspaceRecord; readonly to: WorkspaceRecord },
): Promise<void> {
  renameSync(from.path, to.path)
  // By renaming: whatever lies there is not written through.
  const draft = join(gitDir, `gitdir-${process.pid}`)
  writeFileSync(draft, `${join(to.path, '.git')}\n`, { flag: 'wx' })
  renameSync(draft, join(gitDir, 'gitdir'))
  for (const folder of modulesIn(join(gitDir, 'modules'))) await lead(git, folder, { from, to })
}

/** Each says where its files are, relative to itself. */
async function lead(
  git: Git,
  folder: string,
  { from, to }: { readonly from: WorkspaceRecord; readonly to: WorkspaceRecord },
): Promise<void> {
  const key = ['config', '--file', join(folder, 'config'), 'core.worktree']
  const value = await git.ask(from.repository, key)
  if (value === undefined) return
  const inside = relative(from.path, resolve(folder, value))
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) return
  await git(from.repository, [...key, relative(folder, join(to.path, inside))])
}

const deepest = 8

/** Git's folders of submodules, and of theirs; whoever works inside writes there, so no link is followed. */
function modulesIn(folder: string, depth = 0): string[] {
  if (depth > deepest || !isFolder(folder)) return []
  if (isFile(join(folder, 'config')) && isFile(join(folder, 'HEAD')))
    return [folder, ...modulesIn(join(folder, 'modules'), depth + 1)]
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => modulesIn(join(folder, entry.name), depth + 1))
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true
}
