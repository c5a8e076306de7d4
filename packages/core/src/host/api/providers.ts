import { HolmError } from '../../errors.ts'
import type { CallOptions, HostApi, ProviderInfo } from '../../host-api.ts'
import type { Probe } from '../../provider.ts'
import { nearNames } from '../did-you-mean.ts'
import type { HostContext } from '../context.ts'
import type { PluginDescriptor } from '../plugins/descriptor.ts'

export function createProvidersApi(host: HostContext): HostApi['providers'] {
  const descriptors = (): PluginDescriptor[] =>
    host.registry.descriptors.filter(
      (descriptor) => descriptor.kind === 'provider' && descriptor.error === undefined,
    )
  return {
    list: ({ probe = false, ...options } = {}) =>
      Promise.all(descriptors().map((descriptor) => view(host, descriptor, probe ? options : undefined))),
    async show(id, options = {}) {
      const descriptor = descriptors().find((each) => each.id === id)
      if (descriptor) return view(host, descriptor, options)
      const known = descriptors().map((each) => each.id)
      const [near] = nearNames(id, known, 1)
      throw new HolmError('HOLM_PLUGIN_NOT_FOUND', `there is no provider ${id}`, {
        hint: near === undefined ? `Use one of: ${known.join(', ')}.` : `Did you mean ${near}?`,
        details: { id, known },
      })
    },
  }
}

async function view(
  host: HostContext,
  { id, name, manifest }: PluginDescriptor,
  probeOptions: CallOptions | undefined,
): Promise<ProviderInfo> {
  const info: ProviderInfo = {
    id,
    plugin: name,
    platforms: manifest.platforms ?? [],
    facets: manifest.facets ?? [],
    traits: manifest.traits,
  }
  return probeOptions === undefined ? info : { ...info, probe: await probeProvider(host, id, probeOptions) }
}

/** A provider that cannot even be loaded is one that is not usable, with the reason. */
async function probeProvider(host: HostContext, id: string, options: CallOptions): Promise<Probe> {
  try {
    return await (await host.provider(id)).probe(host.operation('', options).context)
  } catch (error) {
    return { usable: false, reason: (error as Error).message, limitations: [] }
  }
}
