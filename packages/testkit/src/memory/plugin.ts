import { join } from 'node:path'
import { contractVersion, definePlugin, facetNames } from '@holm/core'
import type { PluginDefinition, PluginManifest } from '@holm/core'
import { createMemoryProvider, memoryTraits } from './provider.ts'
import type { MemoryOptions } from './runtime.ts'

/** Manifest of a package whose entry re-exports `memoryPlugin`. */
export const memoryManifest: PluginManifest = {
  kind: 'provider',
  id: 'memory',
  contract: contractVersion,
  entry: './index.js',
  facets: facetNames,
  traits: memoryTraits,
}

/**
 * The memory provider as a plugin. Its configuration section (`plugin.memory`) is MemoryOptions; without `file` the
 * state is kept in the plugin's data folder, so that several holm processes see one runtime.
 */
const memoryPlugin: PluginDefinition = definePlugin({
  name: '@holm/testkit/memory',
  contract: contractVersion,
  setup(api) {
    const options = (api.config ?? {}) as MemoryOptions
    api.provide('provider', 'memory', () =>
      createMemoryProvider({
        file: join(api.paths.data, 'memory.json'),
        namespace: api.namespace,
        ...options,
      }),
    )
  },
})

export default memoryPlugin
