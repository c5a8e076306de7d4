import { userInfo } from 'node:os'
import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { createLxcProvider } from './provider.ts'
import type { Caller } from './session.ts'

export { createLxcProvider } from './provider.ts'
export type { Caller, LxcSettings } from './session.ts'

const plugin: PluginDefinition = definePlugin({
  name: '@holm/provider-lxc',
  contract: 1,
  setup(api) {
    api.provide('provider', 'lxc', () =>
      createLxcProvider({ paths: api.paths, namespace: api.namespace, env: api.env, caller: loadCaller() }),
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
