import { resolve } from 'node:path'
import type { HostApi } from '../../host-api.ts'
import type { HostContext } from '../context.ts'
import { describePlugin } from '../plugins/descriptor.ts'
import type { ManageOptions } from '../plugins/manage.ts'

/** Managing plugins is rare: what does it is imported when it is asked for. */
export function createPluginsApi(host: HostContext): HostApi['plugins'] {
  const options = (signal?: AbortSignal): ManageOptions => ({
    runner: host.runner,
    dataFolder: host.paths.data,
    bundled: host.bundled,
    cwd: host.cwd,
    platform: host.platform,
    signal,
  })
  return {
    list: async () => host.registry.descriptors.map(describePlugin),
    install: async (specifier, { signal } = {}) =>
      (await import('../plugins/manage.ts')).installPlugin(specifier, options(signal)),
    link: async (folder) => (await import('../plugins/manage.ts')).linkPlugin(folder, options()),
    remove: async (name) => (await import('../plugins/manage.ts')).removePlugin(name, options()),
    create: async ({ folder, name }) =>
      (await import('../plugins/template.ts')).createPlugin({ folder: resolve(host.cwd, folder), name }),
  }
}
