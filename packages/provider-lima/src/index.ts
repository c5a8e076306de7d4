import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { createProvider } from './provider.ts'

const plugin: PluginDefinition = definePlugin({
  name: '@holm/provider-lima',
  contract: 1,
  setup(api) {
    api.provide('provider', 'lima', () =>
      createProvider({ namespace: api.namespace, env: api.env, platform: api.platform }),
    )
  },
})

export default plugin
export { createProvider } from './provider.ts'
export type { LimaSettings } from './session.ts'
