import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { BindMount, Resources, SpecOverlay } from '@holm/core'
import { gitSettings } from './credentials/scripts.ts'
import type { Git } from './git.ts'
import type { WorkspaceConfig } from './options.ts'
import { presentPlace } from './place.ts'
import type { WorkspaceRecord } from './record.ts'
import { syncedOverlay } from './sync/without-mount.ts'

/**
 * What makes git work inside: the worktree's `.git` names the shared folder by its path here, so it is mounted at that
 * very path. Configuration and hooks, which run programs on this machine, are read-only there.
 */
export async function createOverlay(
  git: Git,
  record: WorkspaceRecord,
  { config, resources }: { readonly config: WorkspaceConfig; readonly resources?: Resources | undefined },
): Promise<SpecOverlay> {
  if (record.synced !== undefined) return syncedOverlay(record, record.synced, resources)
  const { commonDir } = record
  const mounts = [
    bind(commonDir, false),
    ...(config.protectGit === false ? [] : await guards(git, record)),
    ...(await shared(record, config.link ?? [])),
  ]
  return {
    mounts,
    env: { HOLM_WORKSPACE: record.name, ...(await gitVariables(git, record)) },
    ...(config.protectGit !== false && { readonlyPaths: ['.git'] }),
    ...(resources && { resources }),
  }
}

/** What is linked in the worktree leads to where it is here. */
async function shared({ repository }: WorkspaceRecord, items: readonly string[]): Promise<BindMount[]> {
  if (items.length === 0) return []
  const { isReallyBelow } = await import('@holm/core/host')
  return items
    .map((item) => join(repository, item))
    .filter((path) => existsSync(path) && isReallyBelow(repository, path))
    .map((path) => bind(path, false))
}

/**
 * What git on this machine would be led by: its configuration, hooks, the repositories of submodules, and what says where the
 * data of each worktree lies. All of it is read-only inside but the worktree's own data, less the two files that lead elsewhere.
 */
async function guards(git: Git, record: WorkspaceRecord): Promise<BindMount[]> {
  const { commonDir, repository } = record
  const { gitDir } = presentPlace(record)
  mkdirSync(join(commonDir, 'hooks'), { recursive: true })
  const perWorktree =
    (await git.ask(repository, ['config', '--type=bool', '--get', 'extensions.worktreeConfig'])) === 'true'
  const more = perWorktree ? [join(commonDir, 'config.worktree'), join(gitDir, 'config.worktree')] : []
  // A file that is not there cannot be kept from being made.
  for (const path of more) closeSync(openSync(path, 'a'))
  return [
    ...['config', 'hooks', 'modules', 'worktrees']
      .map((item) => join(commonDir, item))
      .filter((path) => existsSync(path))
      .map((path) => bind(path, true)),
    bind(gitDir, false),
    ...['commondir', 'gitdir'].map((item) => bind(join(gitDir, item), true)),
    ...more.map((path) => bind(path, true)),
  ]
}

function bind(path: string, readonly: boolean): BindMount {
  return { type: 'bind', source: path, target: path, readonly }
}

/** Files belong to somebody else inside, and the user's own configuration is not there: commits are made in the user's name. */
async function gitVariables(
  git: Git,
  { repository, gitCredentials }: WorkspaceRecord,
): Promise<Record<string, string>> {
  const entries: (readonly [string, string])[] = [['safe.directory', '*']]
  for (const key of ['user.name', 'user.email']) {
    const value = await git.ask(repository, ['config', '--get', key])
    if (value !== undefined) entries.push([key, value])
  }
  if (gitCredentials !== undefined) entries.push(...gitSettings)
  return Object.fromEntries([
    ['GIT_CONFIG_COUNT', String(entries.length)],
    ...entries.flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]),
  ]) as Record<string, string>
}
