import { definePlugin } from '@holm/core'
import type { HostApi, PluginApi, PluginDefinition } from '@holm/core'
import type { Workspaces } from './api.ts'
import { withDefault } from './commands/default.ts'
import { ensureWatcher } from './commands/idle.ts'
import { bringing, commands, pluginCommands } from './commands/index.ts'
import { aroundStart, aroundStop, withLifecycle } from './lifecycle/workspace-lifecycle.ts'
import { openWorkspaces } from './open.ts'
import { configSchema, type WorkspaceConfig } from './options.ts'
import { startServices, stopServices } from './services/runner.ts'
import type { Served } from './services/ways.ts'
import { fillWorkspace } from './sync/synced.ts'

export type * from './api.ts'
export type { WorkspaceConfig } from './options.ts'
export type { WorkspaceRecord } from './record.ts'

const plugin: PluginDefinition<WorkspaceConfig> = definePlugin<WorkspaceConfig>({
  name: '@holm/workspace',
  contract: 1,
  configSchema,
  setup(api) {
    const open = (host: HostApi): Workspaces => withLifecycle(api, host, openWorkspaces(api, host))
    for (const command of commands) {
      const { run } = command
      api.command({
        ...command,
        async run(input) {
          const result = await run(withDefault(input, command, api.env), open(input.host))
          if (bringing.has(command.id)) await ensureWatcher(api)
          return result
        },
      })
    }
    for (const command of pluginCommands) {
      const { run } = command
      api.command({
        ...command,
        run: async (input) => run(withDefault(input, command, api.env), api, open(input.host)),
      })
    }
    api.method('workspaces', open)
    api.hook('beforeLifecycle', (served) => fillWorkspace(api, served))
    api.hook('beforeReady', (served) => aroundStart(api, served, () => startServices(served)))
    api.hook('beforeStop', ({ served }) =>
      served === undefined ? undefined : aroundStop(api, served, () => endServices(api, served)),
    )
  },
})

/** An environment whose services cannot be ended one by one is stopped all the same: that ends them. */
async function endServices({ log }: PluginApi<WorkspaceConfig>, served: Served): Promise<void> {
  try {
    await stopServices(served)
  } catch (error) {
    if (served.signal.aborted) throw error
    log.warn(`services were not stopped in their order: ${(error as Error).message}`)
  }
}

export default plugin
