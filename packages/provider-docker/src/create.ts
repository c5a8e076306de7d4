import { setTimeout as wait } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { Base, EnvironmentSpec, EnvironmentState, ProviderContext } from '@holm/core'
import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import { containerConfig } from './container-config.ts'
import type { Engine } from './engine.ts'
import { parseFailure } from './engine-errors.ts'
import { baseReference, ignoreMissing, prepareBase } from './images.ts'
import { containerName, label, uniqueMark } from './names.ts'
import { missingCapabilities } from './security.ts'
import { releaseNetwork, resolveNetwork } from './networks.ts'
import { parseCreated, parseInspect, sameLabels } from './parse.ts'

export interface CreateRequest {
  readonly spec: EnvironmentSpec
  /** Image to use instead of the spec's base: a snapshot, or the source of a clone. */
  readonly image?: string
  /** Labels for the container alone. */
  readonly labels?: Readonly<Record<string, string>>
  /** Variables of the image that the container shall not have. */
  readonly unset?: readonly string[]
}

/** One call when all is there: the base is looked for only when the engine says that it is missing. */
export async function createEnvironment(
  engine: Engine,
  request: CreateRequest,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const { spec } = request
  assertPorts(spec)
  const attempt = uniqueMark()
  const image = request.image ?? (await baseReference(spec.base))
  const network = await resolveNetwork(engine, spec, ctx)
  const callerIds = spec.matchUserId ? engine.callerIds : undefined
  const imageUser = await resolveImageUser(engine, { ...request, reference: image }, ctx)
  const config = containerConfig({
    spec,
    namespace: engine.namespace,
    image,
    attempt,
    callerIds,
    network,
    imageUser,
    ...(spec.nestedDocker && {
      missingCapabilities: missingCapabilities(engine.readText('/proc/self/status')),
    }),
  })
  // A key alone takes away what the image has.
  const unset = (request.unset ?? []).filter((key) => !(key in spec.env))
  const options = {
    ...config,
    Env: [...(config.Env ?? []), ...unset],
    Labels: { ...config.Labels, ...request.labels },
  }
  try {
    return await engine.use({ ctx, action: `create ${spec.name}` }, (docker) =>
      createContainer({
        engine,
        docker,
        spec,
        options,
        ctx,
        fetch: request.image === undefined,
      }),
    )
  } catch (error) {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_CONFLICT'))
      await cleanUp(engine, { attempt, name: spec.name, network })
    throw error
  }
}

/** The image's own user, asked for only when nobody named one. Fetches the base when it is missing. */
async function resolveImageUser(
  engine: Engine,
  { spec, image, reference }: CreateRequest & { readonly reference: string },
  ctx: ProviderContext,
): Promise<string | undefined> {
  if (spec.user !== undefined || spec.main === 'base') return undefined
  const base: Base = image === undefined ? spec.base : { kind: 'image', reference }
  const info = await prepareBase(engine, base, ctx)
  // An image made from an environment has root as its user, and the wanted one in a label.
  return info.labels[label.user] || info.user
}

interface Attempt {
  readonly engine: Engine
  readonly docker: Docker
  readonly spec: EnvironmentSpec
  readonly options: ContainerCreateOptions
  readonly ctx: ProviderContext
  /** The base may be fetched when it is missing. */
  readonly fetch: boolean
}

async function createContainer(attempt: Attempt): Promise<EnvironmentState> {
  const { docker, options, ctx, spec } = attempt
  try {
    // Not abortable: an aborted request may still create the container, and nobody would know its id.
    const container = await docker.createContainer(options)
    assertNotAborted(ctx.signal)
    return parseCreated(options, { id: container.id, name: spec.name })
  } catch (error) {
    return await recover(attempt, error)
  }
}

async function recover(attempt: Attempt, error: unknown): Promise<EnvironmentState> {
  const { engine, spec, options, ctx } = attempt
  const failure = parseFailure(error)
  if (isHolmError(error) || failure.status === undefined) throw error
  if (failure.status === 409 || /already in use|name is in use/i.test(failure.message))
    return existing(attempt, error)
  if (attempt.fetch && failure.status === 404 && /image|no such|not found/i.test(failure.message)) {
    await prepareBase(engine, spec.base, ctx)
    return createContainer({ ...attempt, fetch: false })
  }
  if (
    options.HostConfig?.StorageOpt &&
    /storage-opt|storage opt|size is not supported|quota/i.test(failure.message)
  ) {
    ctx.log.warn(`this engine's storage cannot limit the disk of ${spec.name}: ${failure.message}`)
    const { StorageOpt: _, ...HostConfig } = options.HostConfig
    return createContainer({ ...attempt, options: { ...options, HostConfig } })
  }
  throw error
}

/** The name is taken: by the same environment, which is fine, or by another. */
async function existing({ engine, docker, spec }: Attempt, cause: unknown): Promise<EnvironmentState> {
  const name = containerName(engine.namespace, spec.name)
  const info = await awaitContainer(docker, name)
  if (!info) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_BUSY',
      `another holm process is making or removing "${spec.name}"`,
      {
        hint: 'Try again when it has ended.',
        cause,
      },
    )
  }
  const labels = info.Config.Labels ?? {}
  if (labels[label.namespace] === engine.namespace && sameLabels(spec.labels, labels))
    return parseInspect(info, spec.name)
  const what =
    labels[label.namespace] === undefined ? 'a container that holm did not make' : 'another environment'
  throw new HolmError(
    'HOLM_ENVIRONMENT_CONFLICT',
    `the name "${spec.name}" is taken by ${what} (container ${name})`,
    {
      hint: `Choose another name, or remove it with \`holm destroy ${spec.name}\`.`,
      cause,
    },
  )
}

/** A name is taken a moment before its container can be seen; and a container that fails is gone again. */
async function awaitContainer(
  docker: Docker,
  name: string,
): Promise<Docker.ContainerInspectInfo | undefined> {
  for (let delay = 5; delay < 1000; delay *= 2) {
    const info = await docker.getContainer(name).inspect().catch(ignoreMissing)
    if (info) return info
    await wait(delay)
  }
  return undefined
}

/** Only what this attempt made: a container and volumes that carry its random label. */
async function cleanUp(
  engine: Engine,
  made: { readonly attempt: string; readonly name: string; readonly network: string | undefined },
): Promise<void> {
  const docker = await engine.docker()
  const filters = { label: [`${label.attempt}=${made.attempt}`] }
  try {
    const containers = await docker.listContainers({ all: true, filters })
    await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })))
    const { Volumes } = await docker.listVolumes({ filters })
    await Promise.all((Volumes ?? []).map(({ Name }) => docker.getVolume(Name).remove()))
    await releaseNetwork(docker, made.network)
  } catch {
    // The first error is the one to tell; what is left carries labels and is found by `list`.
  }
}

/** Nothing maps ports on the host's own network. */
function assertPorts(spec: EnvironmentSpec): void {
  if (spec.network !== 'host') return
  const port = spec.ports.find((request) => request.host !== undefined && request.host !== request.container)
  if (!port) return
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `port ${port.container} cannot be published as ${port.host} on the host's own network`,
    {
      hint: 'Use the default network, or the same number on both sides.',
    },
  )
}
