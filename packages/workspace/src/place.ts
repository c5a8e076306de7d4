import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import type { WorktreePlace } from './git.ts'
import type { WorkspaceRecord } from './record.ts'

/**
 * Where git keeps what belongs to the worktree, as the repository itself says: the worktree's own `.git` is in the hands of whoever
 * works there. Undefined when there is no such worktree.
 */
export function placeOf({ commonDir, path }: WorkspaceRecord): WorktreePlace | undefined {
  if (!existsSync(path)) return undefined
  const all = join(commonDir, 'worktrees')
  const name = existsSync(all) ? readdirSync(all).find((each) => leadsTo(join(all, each), path)) : undefined
  return name === undefined ? undefined : { path, commonDir, gitDir: join(all, name) }
}

function leadsTo(folder: string, path: string): boolean {
  try {
    return readFileSync(join(folder, 'gitdir'), 'utf8').trimEnd() === join(path, '.git')
  } catch {
    return false
  }
}

/**
 * Makes what git keeps of the worktree readable again, on the workspace's branch, when whoever works there has spoiled it: so that
 * its files can still be kept. What was prepared for a commit is forgotten; the files are not touched.
 */
export function repairPlace(record: WorkspaceRecord): void {
  const { commonDir, path, name, branch } = record
  const gitDir = placeOf(record)?.gitDir ?? join(commonDir, 'worktrees', `${name}-${process.pid}`)
  mkdirSync(gitDir, { recursive: true })
  const files = {
    HEAD: `ref: refs/heads/${branch}\n`,
    commondir: '../..\n',
    gitdir: `${join(path, '.git')}\n`,
  }
  for (const item of ['index', 'index.lock', 'HEAD.lock', ...Object.keys(files)])
    rmSync(join(gitDir, item), { recursive: true, force: true })
  // Never through a link that was put there.
  for (const [item, text] of Object.entries(files)) writeFileSync(join(gitDir, item), text, { flag: 'wx' })
}

/** HOLM_WORKSPACE_NOT_FOUND for a worktree that is gone. */
export function presentPlace(record: WorkspaceRecord): WorktreePlace {
  const place = placeOf(record)
  if (place !== undefined) return place
  throw new HolmError('HOLM_WORKSPACE_NOT_FOUND', `the worktree ${record.path} of ${record.name} is gone`, {
    hint: `Keep its commits and remove the rest: holm workspace delete ${record.name}`,
    details: { name: record.name, path: record.path },
  })
}
