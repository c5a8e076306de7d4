import type { Probe, ProviderInfo, Traits } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { renderFacts } from '../output/views.ts'
import type { Fact } from '../output/views.ts'

export const providerList: BuiltinCommand = {
  id: 'provider list',
  group: 'Machine',
  summary: 'List the providers and what they can do.',
  flags: { probe: { type: 'boolean', description: 'Also ask each runtime whether it is usable now.' } },
  examples: [
    { command: 'holm provider list', description: 'What is installed, read from manifests.' },
    { command: 'holm provider list --probe', description: 'What is usable on this machine.' },
  ],
  async run({ flags, host, signal }) {
    const probe = flags['probe'] === true
    const providers = await host.providers.list({ probe, signal })
    const columns = ['id', ...(probe ? ['usable', 'version'] : []), 'isolation', 'facets', 'plugin']
    const rows = providers.map((provider) => [
      provider.id,
      ...(probe
        ? [provider.probe?.usable ? 'yes' : 'no', provider.probe?.version ?? provider.probe?.reason ?? '-']
        : []),
      provider.traits?.isolation ?? '-',
      provider.facets.join(' '),
      provider.plugin,
    ])
    return { data: providers, table: { columns, rows, empty: 'No providers are installed.' } }
  },
}

export const providerShow: BuiltinCommand = {
  id: 'provider show',
  group: 'Machine',
  summary: 'Show one provider: usable or how to make it so, traits, facets, limitations.',
  args: [{ name: 'id', description: 'Id of the provider.', required: true, completes: 'provider' }],
  examples: [{ command: 'holm provider show docker', description: 'Why Docker is or is not used.' }],
  async run({ args, host, signal }) {
    const provider = await host.providers.show(args['id'] ?? '', { signal })
    return { data: provider, text: renderProvider(provider) }
  },
}

function renderProvider({ id, plugin, platforms, facets, traits, probe }: ProviderInfo): string {
  return renderFacts([
    ['id', id],
    ['plugin', plugin],
    ['platforms', platforms.join(', ')],
    ...(probe ? listProbe(probe) : []),
    ...(traits ? listTraits(traits) : []),
    ['facets', facets.join(', ')],
  ])
}

function listProbe({ usable, reason, version, fix, limitations }: Probe): Fact[] {
  return [
    ['usable', usable ? 'yes' : `no: ${reason ?? 'the runtime gave no reason'}`],
    ['version', version],
    ['fix', fix],
    ['limitations', limitations.join('\n')],
  ]
}

function listTraits({ isolation, rootless, bases, mounts, limits, networks }: Traits): Fact[] {
  return [
    ['isolation', isolation],
    ['rootless', rootless ? 'yes' : 'no'],
    ['bases', bases.join(', ')],
    ['mounts', mounts.join(', ')],
    ['limits', limits.join(', ')],
    ['networks', networks.join(', ')],
  ]
}
