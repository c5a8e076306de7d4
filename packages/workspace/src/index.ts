import { definePlugin } from '@holm/core'
import type { HostApi, PluginApi, PluginDefinition } from '@holm/core'
import type { Workspaces } from './api.ts'
import { commands } from './commands/index.ts'
import { createGit } from './git.ts'
import { configSchema, type WorkspaceConfig } from './options.ts'
import type { WorkspaceRecord } from './record.ts'
import { createWorkspaces } from './workspaces.ts'

export type * from './api.ts'
export type { WorkspaceConfig } from './options.ts'
export type { WorkspaceRecord } from './record.ts'

const plugin: PluginDefinition<WorkspaceConfig> = definePlugin<WorkspaceConfig>({
  name: '@holm/workspace',
  contract: 1,
  configSchema,
  setup(api) {
    const open = (host: HostApi): Workspaces => createFor(api, host)
    for (const command of commands)
      api.command({ ...command, run: (input) => command.run(input, open(input.host)) })
    api.method('workspaces', open)
  },
})

function createFor(
  { records, runner, env, config, log }: PluginApi<WorkspaceConfig>,
  host: HostApi,
): Workspaces {
  return createWorkspaces({
    host,
    config,
    log,
    records: records<WorkspaceRecord>('workspace'),
    git: createGit(runner, env),
  })
}

export default plugin
