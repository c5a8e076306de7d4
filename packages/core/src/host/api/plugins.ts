import type { HostApi } from '../../host-api.ts'
import type { HostContext } from '../context.ts'
import { describePlugin } from '../plugins/descriptor.ts'

export function createPluginsApi(host: HostContext): HostApi['plugins'] {
  return {
    list: async () => host.registry.descriptors.map(describePlugin),
  } as HostApi['plugins']
}
