import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { createEngine } from './engine.ts'
import { configSchema } from './options.ts'
import type { ContainerdConfig } from './options.ts'
import { createProvider } from './provider.ts'

const plugin: PluginDefinition<ContainerdConfig> = definePlugin<ContainerdConfig>({
  name: '@holm/provider-containerd',
  contract: 1,
  configSchema,
  setup(api) {
    api.provide('provider', 'containerd', () => {
      const engine = createEngine({
        namespace: api.namespace,
        data: api.paths.data,
        env: api.env,
        address: api.config?.address,
        caller: { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 },
      })
      api.onDispose(engine.dispose)
      return createProvider(engine)
    })
  },
})

export default plugin
export { createEngine } from './engine.ts'
export type { Engine, EngineSettings } from './engine.ts'
export { createProvider } from './provider.ts'
