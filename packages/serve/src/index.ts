import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { commands } from './commands/index.ts'
import { configSchema, type ServeConfig } from './options.ts'

export type { ServeConfig } from './options.ts'

const plugin: PluginDefinition<ServeConfig> = definePlugin<ServeConfig>({
  name: '@holm/serve',
  contract: 1,
  configSchema,
  setup(api) {
    for (const command of commands) api.command({ ...command, run: (input) => command.run(input, api) })
  },
})

export default plugin
