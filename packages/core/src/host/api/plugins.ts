import { resolve } from 'node:path'
import type { HostApi, PluginInfo } from '../../host-api.ts'
import type { HostContext } from '../context.ts'
import { describePlugin, type PluginDescriptor } from '../plugins/descriptor.ts'
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
    // Whether somebody's plugin works is known only once it is loaded: the list is where people look for that.
    list: () => Promise.all(host.registry.descriptors.map((descriptor) => listPlugin(host, descriptor))),
    install: async (specifier, { signal } = {}) =>
      (await import('../plugins/manage.ts')).installPlugin(specifier, options(signal)),
    link: async (folder) => (await import('../plugins/manage.ts')).linkPlugin(folder, options()),
    remove: async (name) => (await import('../plugins/manage.ts')).removePlugin(name, options()),
    create: async ({ folder, name }) =>
      (await import('../plugins/template.ts')).createPlugin({ folder: resolve(host.cwd, folder), name }),
  }
}

async function listPlugin(host: HostContext, descriptor: PluginDescriptor): Promise<PluginInfo> {
  const error = descriptor.origin === 'bundled' ? undefined : await host.registry.check(descriptor)
  return describePlugin(error ? { ...descriptor, error } : descriptor)
}
