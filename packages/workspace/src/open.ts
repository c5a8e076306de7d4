import type { HostApi, PluginApi } from '@holm/core'
import type { Workspaces } from './api.ts'
import { withCredentials } from './credentials/lend.ts'
import { createGit } from './git.ts'
import type { WorkspaceConfig } from './options.ts'
import type { WorkspaceRecord } from './record.ts'
import { withBringBack } from './sync/synced.ts'
import { createWorkspaces } from './workspaces.ts'

/** Workspaces over a host. */
export function openWorkspaces(api: PluginApi<WorkspaceConfig>, host: HostApi): Workspaces {
  const { records, runner, env, config, log } = api
  const workspaces = createWorkspaces({
    host,
    config,
    log,
    records: records<WorkspaceRecord>('workspace'),
    git: createGit(runner, env),
  })
  return withCredentials(api, host, withBringBack(api, host, workspaces))
}
