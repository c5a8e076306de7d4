import { HolmError } from '@holm/core'
import type { EnvironmentSpec, ProviderContext } from '@holm/core'
import type Docker from 'dockerode'
import type { Engine } from './engine.ts'
import { parseFailure } from './engine-errors.ts'
import { label, networkName } from './names.ts'

const builtIn: ReadonlySet<string> = new Set(['default', 'none', 'host', 'bridge'])

/**
 * Name in the engine of a named network: this holm's own `<namespace>-<name>`, else one of that name that the user
 * made, else a new one. Undefined for a built-in one.
 */
export async function resolveNetwork(
  engine: Engine,
  spec: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<string | undefined> {
  if (builtIn.has(spec.network)) return undefined
  const own = networkName(engine.namespace, spec.network)
  return engine.use({ ctx, action: `prepare the network ${spec.network}` }, async (docker) => {
    const found = await docker.listNetworks({ filters: { name: [spec.network] } })
    const names = new Set(found.map(({ Name }) => Name))
    if (names.has(own)) return own
    if (names.has(spec.network)) return spec.network
    return createNetwork(docker, own, {
      [label.namespace]: engine.namespace,
      [label.network]: own,
      [label.name]: spec.companion?.of ?? spec.name,
    })
  })
}

async function createNetwork(
  docker: Docker,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  try {
    // CheckDuplicate: two holms may get here at once, and old engines take one name twice.
    await docker.createNetwork({
      Name: name,
      CheckDuplicate: true,
      Driver: 'bridge',
      Labels: { ...labels },
    })
  } catch (error) {
    const failure = parseFailure(error)
    if (failure.status !== 409 && !/already exists/.test(failure.message)) {
      throw failure.status === undefined
        ? error
        : new HolmError(
            'HOLM_ENVIRONMENT_FAILED',
            `the network ${name} could not be created: ${failure.message}`,
            {
              hint: 'Remove networks that are no longer used, or give the engine more address pools.',
              cause: error,
            },
          )
    }
  }
  return name
}

/** Removes a network that holm made, once nothing uses it: the engine refuses while anything running does. */
export async function releaseNetwork(docker: Docker, name: string | undefined): Promise<void> {
  if (!name) return
  const users = await docker.listContainers({ all: true, filters: { label: [`${label.network}=${name}`] } })
  if (users.length > 0) return
  const [network] = await docker.listNetworks({ filters: { label: [`${label.network}=${name}`] } })
  // Gone, or taken into use again in this moment: both are fine.
  if (network)
    await docker
      .getNetwork(network.Id)
      .remove()
      .catch(() => {})
}

/** Networks that were made for an environment that is gone: whoever removed it was killed before the network went, too. */
export async function releaseNetworksOf(docker: Docker, { namespace }: Engine, name: string): Promise<void> {
  const filters = { label: [`${label.namespace}=${namespace}`, `${label.name}=${name}`] }
  for (const network of await docker.listNetworks({ filters })) await releaseNetwork(docker, network.Name)
}
