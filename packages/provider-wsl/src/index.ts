import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { configSchema, type WslConfig } from './options.ts'
import { createWslProvider } from './provider.ts'

export { createWslProvider } from './provider.ts'
export type { WslOptions } from './machine.ts'
export type { WslConfig } from './options.ts'

const plugin: PluginDefinition<WslConfig> = definePlugin<WslConfig>({
  name: '@holm/provider-wsl',
  contract: 1,
  configSchema,
  setup(api) {
    api.provide('provider', 'wsl', () =>
      createWslProvider({
        platform: api.platform,
        namespace: api.namespace,
        env: api.env,
        ...api.config,
      }),
    )
  },
})

export default plugin
