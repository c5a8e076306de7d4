import { userInfo } from 'node:os'
import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { configSchema, type LxcConfig } from './options.ts'
import { createLxcProvider } from './provider.ts'
import type { Caller } from './session.ts'

export { createLxcProvider } from './provider.ts'
export type { LxcProviderSettings } from './provider.ts'
export type { Caller } from './session.ts'

const plugin: PluginDefinition<LxcConfig> = definePlugin<LxcConfig>({
  name: '@holm/provider-lxc',
  contract: 1,
  configSchema,
  setup(api) {
    api.provide('provider', 'lxc', () =>
      createLxcProvider({
        paths: api.paths,
        namespace: api.namespace,
        env: api.env,
        caller: loadCaller(),
        config: api.config,
        onDispose: (dispose) => api.onDispose(dispose),
      }),
    )
  },
})

export default plugin

function loadCaller(): Caller {
  // Not on Windows, where the manifest keeps this package away.
  const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1]
  try {
    return { uid, gid, name: userInfo().username }
  } catch {
    // An id without an entry in the user database, as in some containers.
    return { uid, gid, name: String(uid) }
  }
}
