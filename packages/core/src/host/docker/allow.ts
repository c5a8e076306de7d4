import { HolmError } from '../../errors.ts'
import type { Provider, Traits } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'

const key = 'up.docker'

type Nested = Pick<EnvironmentSpec, 'nestedDocker'>

/** Why the configuration forbids an engine inside, in words that follow the provider's name. */
export function forbidsDocker(
  { config }: Pick<HostContext, 'config'>,
  { nestedDocker }: Nested,
  { isolation }: Pick<Traits, 'isolation'>,
): string | undefined {
  const allowed = config.values[key]
  if (nestedDocker !== true || allowed === 'all' || (allowed === 'vm' && isolation === 'vm')) return undefined
  return `may not run Docker inside: ${key} is ${allowed} (${config.get(key).source})`
}

/** HOLM_BLUEPRINT_UNSUPPORTED or HOLM_BLUEPRINT_INVALID where no engine can or may run inside: before anything is made or started. */
export function assertDocker(
  host: HostContext,
  { id, traits }: Pick<Provider, 'id' | 'traits'>,
  spec: Nested & Pick<EnvironmentSpec, 'network'>,
): void {
  if (spec.nestedDocker !== true) return
  const able = ableProviders(host)
  if (traits.nestedDocker !== true) {
    throw new HolmError(
      'HOLM_BLUEPRINT_UNSUPPORTED',
      `the provider ${id} cannot run a Docker engine inside`,
      {
        hint: able.length === 0 ? 'Leave docker out.' : `Use --provider ${able.join(' or ')}.`,
        details: { provider: id, key: 'docker', able },
      },
    )
  }
  const reason = forbidsDocker(host, spec, traits)
  if (reason !== undefined) {
    const machines = able.filter((each) => isolationOf(host, each) === 'vm')
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the provider ${id} ${reason}`, {
      hint:
        host.config.values[key] === 'vm' && machines.length > 0
          ? `Use a virtual machine: --provider ${machines.join(' or ')}.`
          : 'Ask who looks after this machine, or leave docker out.',
      details: { provider: id, key: 'docker', config: key },
    })
  }
  if (spec.network !== 'host' && !spec.network.startsWith('container:')) return
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `docker: an engine inside would rule the network ${spec.network}, which belongs to others`,
    { hint: 'Leave network out, or name one of its own.', details: { key: 'network', value: spec.network } },
  )
}

function ableProviders({ registry }: HostContext): readonly string[] {
  return registry
    .ids('provider')
    .filter((id) => registry.manifestOf('provider', id)?.traits?.nestedDocker === true)
}

function isolationOf({ registry }: HostContext, id: string): Traits['isolation'] | undefined {
  return registry.manifestOf('provider', id)?.traits?.isolation
}
