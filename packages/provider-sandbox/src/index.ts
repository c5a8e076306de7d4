import { userInfo } from 'node:os'
import { HolmError, definePlugin } from '@holm/core'
import type { PluginApi, PluginDefinition } from '@holm/core'
import { createSandboxProvider } from './provider.ts'
import type { Backend, Caller } from './record.ts'

export { createSandboxProvider } from './provider.ts'
export type { SandboxOptions } from './session.ts'
export type { Backend, Caller } from './record.ts'

/** Section `plugin.sandbox` of the configuration. */
export interface SandboxConfig {
  /** Use only this program to make namespaces. */
  readonly backend?: Backend
}

const plugin: PluginDefinition<SandboxConfig> = definePlugin<SandboxConfig>({
  name: '@holm/provider-sandbox',
  contract: 1,
  configSchema: {
    '~standard': {
      version: 1,
      vendor: 'holm',
      validate: (value) => {
        const { backend } = (value ?? {}) as { backend?: unknown }
        if (backend === undefined) return { value: {} }
        if (backend === 'bwrap' || backend === 'unshare') return { value: { backend } }
        return { issues: [{ message: 'must be "bwrap" or "unshare"', path: ['backend'] }] }
      },
    },
  },
  setup(api) {
    api.provide('provider', 'sandbox', () =>
      createSandboxProvider({
        paths: api.paths,
        namespace: api.namespace,
        env: api.env,
        caller: loadCaller(api),
        platform: api.platform,
        ...(api.config?.backend === undefined ? {} : { backend: api.config.backend }),
      }),
    )
  },
})

export default plugin

function loadCaller(api: PluginApi<SandboxConfig>): Caller {
  try {
    const { uid, gid, username, homedir } = userInfo()
    return { uid, gid, name: username, home: homedir }
  } catch (error) {
    // An id without an entry in the user database, as in some containers.
    const uid = process.getuid?.()
    if (uid === undefined)
      throw new HolmError('HOLM_PROVIDER_UNAVAILABLE', 'this user has no id', { cause: error })
    return { uid, gid: process.getgid?.() ?? uid, name: String(uid), home: api.env['HOME'] ?? '/' }
  }
}
