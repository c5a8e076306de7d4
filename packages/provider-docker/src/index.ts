import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { createEngine } from './engine.ts'
import { configSchema } from './options.ts'
import type { DockerConfig } from './options.ts'
import { createProvider } from './provider.ts'

const plugin: PluginDefinition<DockerConfig> = definePlugin<DockerConfig>({
  name: '@holm/provider-docker',
  contract: 1,
  configSchema,
  setup(api) {
    api.provide('provider', 'docker', () => {
      const engine = createEngine({
        namespace: api.namespace,
        env: api.env,
        platform: api.platform,
        host: api.config?.host,
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
