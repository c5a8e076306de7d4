import { arch } from 'node:os'
import { definePlugin } from '@holm/core'
import type { PluginDefinition } from '@holm/core'
import { createQemuProvider } from './provider.ts'

export { createQemuProvider } from './provider.ts'
export type { QemuProviderOptions } from './session.ts'

const plugin: PluginDefinition = definePlugin({
  name: '@holm/provider-qemu',
  contract: 1,
  setup(api) {
    api.provide('provider', 'qemu', () =>
      createQemuProvider({
        paths: api.paths,
        namespace: api.namespace,
        env: api.env,
        uid: process.getuid?.() ?? 0,
        platform: api.platform,
        arch: arch(),
      }),
    )
  },
})

export default plugin
