import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { BindMount, Resources, SpecOverlay } from '@holm/core'
import type { Git } from './git.ts'
import type { WorkspaceConfig } from './options.ts'
import type { WorkspaceRecord } from './record.ts'

/**
 * What makes git work inside: the worktree's `.git` names the shared folder by its path here, so it is mounted at that
 * very path. Configuration and hooks, which run programs on this machine, are read-only there.
 */
export async function createOverlay(
  git: Git,
  record: WorkspaceRecord,
  { config, resources }: { readonly config: WorkspaceConfig; readonly resources?: Resources | undefined },
): Promise<SpecOverlay> {
  const { commonDir } = record
  const guarded = config.protectGit === false ? [] : ['config', 'hooks']
  const mounts = [
    bind(commonDir, false),
    ...guarded
      .map((item) => join(commonDir, item))
      .filter((path) => existsSync(path))
      .map((path) => bind(path, true)),
    ...(config.link ?? [])
      .map((item) => join(record.repository, item))
      .filter((path) => existsSync(path))
      .map((path) => bind(path, false)),
  ]
  return {
    mounts,
    env: { HOLM_WORKSPACE: record.name, ...(await gitVariables(git, record)) },
    ...(resources && { resources }),
  }
}

function bind(path: string, readonly: boolean): BindMount {
  return { type: 'bind', source: path, target: path, readonly }
}

/** Files belong to somebody else inside, and the user's own configuration is not there: commits are made in the user's name. */
async function gitVariables(git: Git, { path }: WorkspaceRecord): Promise<Record<string, string>> {
  const entries: [string, string][] = [['safe.directory', '*']]
  for (const key of ['user.name', 'user.email']) {
    const value = await git.ask(path, ['config', '--get', key])
    if (value !== undefined) entries.push([key, value])
  }
  return Object.fromEntries([
    ['GIT_CONFIG_COUNT', String(entries.length)],
    ...entries.flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]),
  ]) as Record<string, string>
}
