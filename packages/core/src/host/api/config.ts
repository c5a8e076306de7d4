import type { HostApi } from '../../host-api.ts'
import type { HostContext } from '../context.ts'

export function createConfigApi(host: HostContext): HostApi['config'] {
  return {
    list: async () => host.config.list(),
    get: async (key) => host.config.get(key),
    async set(key, value, { scope = 'user' } = {}) {
      const { setConfigValue } = await import('../config/write.ts')
      const { withFileLock } = await import('../file-lock.ts')
      const home = host.env['HOME']
      // Two at once would each write what they read and the one value that they were asked to change.
      return withFileLock(
        { dataFolder: host.paths.data, file: 'config.lock', what: 'the configuration' },
        () =>
          setConfigValue({
            key,
            value,
            scope,
            cwd: host.cwd,
            paths: host.paths,
            ...(home === undefined ? {} : { home }),
          }),
      )
    },
  }
}
