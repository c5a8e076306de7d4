import { HolmError } from '@holm/core'
import type { EnvironmentState, ProviderContext, RemoveOptions, StopOptions } from '@holm/core'
import type Docker from 'dockerode'
import { releaseCommit, removeCommits, removeUnused } from './commits.ts'
import type { Engine } from './engine.ts'
import { notFound, parseFailure } from './engine-errors.ts'
import { ignoreMissing } from './images.ts'
import { matchUser } from './match-user.ts'
import { containerName, label, volumeName } from './names.ts'
import { releaseNetwork, releaseNetworksOf } from './networks.ts'
import { addressHere } from './address.ts'
import { absentState, parseInspect, parseListed } from './parse.ts'

export interface Target {
  readonly engine: Engine
  readonly name: string
  readonly ctx: ProviderContext
}

export async function inspectEnvironment({ engine, name, ctx }: Target): Promise<EnvironmentState> {
  return engine.use({ ctx, action: `inspect ${name}` }, async (docker, abortSignal) => {
    try {
      const info = await docker.getContainer(containerName(engine.namespace, name)).inspect({ abortSignal })
      if (!isOurs(info, engine)) return absentState(name)
      const address = addressHere(info, engine.readText)
      return { ...parseInspect(info, name), ...(address !== undefined && { address }) }
    } catch (error) {
      ignoreMissing(error)
      return absentState(name)
    }
  })
}

/** A container that somebody else gave our name is not an environment of ours. */
function isOurs(info: Docker.ContainerInspectInfo, engine: Engine): boolean {
  return info.Config.Labels?.[label.namespace] === engine.namespace
}

/** One call, whatever the number of environments. */
export async function listEnvironments(
  engine: Engine,
  ctx: ProviderContext,
): Promise<readonly EnvironmentState[]> {
  return engine.use({ ctx, action: 'list environments' }, async (docker, abortSignal) => {
    const filters = { label: [`${label.namespace}=${engine.namespace}`] }
    const found = await docker.listContainers({ all: true, filters, abortSignal })
    return found
      .map(parseListed)
      .filter((state) => state !== undefined)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  })
}

/** Two calls: start, and an inspect that tells the ports the engine chose. */
export async function startEnvironment({ engine, name, ctx }: Target): Promise<EnvironmentState> {
  return engine.use({ ctx, action: `start ${name}`, environment: name }, async (docker, abortSignal) => {
    const container = docker.getContainer(containerName(engine.namespace, name))
    try {
      await container.start()
    } catch (error) {
      await explainStart(error, { docker, container, name })
    }
    const info = await container.inspect({ abortSignal })
    if (info.State.Paused) await container.unpause()
    const state = parseInspect(info.State.Paused ? await container.inspect({ abortSignal }) : info, name)
    if (state.status !== 'running') throw endedAtOnce(state, info.State.ExitCode)
    await matchUser({ docker, container, info, ctx })
    return state
  })
}

interface Starting {
  readonly docker: Docker
  readonly container: Docker.Container
  readonly name: string
}

/** 304 means that it runs already. */
async function explainStart(error: unknown, starting: Starting): Promise<void> {
  const failure = parseFailure(error)
  if (
    failure.status === 304 ||
    /already (running|started)|cannot start a paused container/i.test(failure.message)
  )
    return
  const port = parseTakenPort(failure.message)
  if (port === undefined) throw error
  const holder = await portHolder(starting.docker, port)
  throw new HolmError(
    'HOLM_PORT_TAKEN',
    `port ${port} of this machine is already in use${holder ? ` by container ${holder}` : ''}`,
    {
      hint: holder
        ? `Stop it with \`docker stop ${holder}\`, or choose another host port.`
        : 'Choose another host port, or end the program that listens there.',
      cause: error,
      details: { port, ...(holder && { holder }) },
    },
  )
}

/** Pure: the port in the engine's many ways of saying that it is taken. */
export function parseTakenPort(message: string): number | undefined {
  if (!/port is already allocated|address already in use|ports are not available/i.test(message))
    return undefined
  const port =
    /(?:Bind for|exposing port TCP|exposing port UDP|listen \w+|bind)\D*?(?:[\d.]+|\[[\da-f:]*\]|::):(\d+)/i.exec(
      message,
    )?.[1]
  return port === undefined ? 0 : Number(port)
}

async function portHolder(docker: Docker, port: number): Promise<string | undefined> {
  try {
    const running = await docker.listContainers()
    return running
      .find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port))
      ?.Names[0]?.replace(/^\//, '')
  } catch {
    return undefined
  }
}

function endedAtOnce(state: EnvironmentState, exitCode: number): HolmError {
  return new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `the environment "${state.name}" ended right after its start${state.reason ? `: ${state.reason}` : ''}`,
    {
      hint: `Look at its output with \`holm logs ${state.name}\`.`,
      details: { status: state.status, exitCode },
    },
  )
}

/** The engine counts in whole seconds: rounded up, so that a short grace is never none. */
export async function stopEnvironment(target: Target, { graceMs }: StopOptions): Promise<EnvironmentState> {
  const { engine, name, ctx } = target
  return engine.use({ ctx, action: `stop ${name}` }, async (docker, abortSignal) => {
    const container = docker.getContainer(containerName(engine.namespace, name))
    const stop = (): Promise<unknown> => container.stop({ t: Math.ceil(graceMs / 1000), abortSignal })
    try {
      await stop()
    } catch (error) {
      const { status, message } = parseFailure(error)
      if (status === 404) return absentState(name)
      // podman does not stop what is paused, docker does.
      if (/paused|state improper/i.test(message)) await container.unpause().then(stop)
      else if (status !== 304) throw error
    }
    return inspectEnvironment(target)
  })
}

export async function removeEnvironment(
  { engine, name, ctx }: Target,
  options: RemoveOptions,
): Promise<void> {
  await engine.use({ ctx, action: `remove ${name}` }, async (docker) => {
    const container = docker.getContainer(containerName(engine.namespace, name))
    const info = await container.inspect().catch(ignoreMissing)
    if (info && isOurs(info, engine)) {
      await removeContainer(container, docker)
      await Promise.all(
        restoredVolumes(info).map((volume) =>
          docker
            .getVolume(volume)
            .remove()
            .catch(() => {}),
        ),
      )
      await Promise.all([
        releaseNetwork(docker, info.Config.Labels?.[label.network]),
        removeImages(docker, info),
      ])
    }
    if (!info) await releaseNetworksOf(docker, engine, name)
    for (const volume of options.own ?? [])
      await docker.getVolume(volumeName(engine.namespace, volume)).remove().catch(ignoreInUse)
    if (options.volumes)
      await removeVolumes(docker, { engine, name, attached: info ? namedVolumes(info, engine) : [] })
  })
}

/** Somebody else may be removing it: then it is waited for. */
async function removeContainer(container: Docker.Container, docker: Docker): Promise<void> {
  try {
    await container.remove({ force: true, v: true })
  } catch (error) {
    const failure = parseFailure(error)
    if (failure.status === 404) return
    if (failure.status !== 409 || !/removal of container .* is already in progress/i.test(failure.message))
      throw error
    await docker.getContainer(container.id).wait({ condition: 'removed' }).catch(ignoreMissing)
  }
}

/** Anonymous volumes that a restore attached by name are no longer anonymous to the engine. */
function restoredVolumes(info: Docker.ContainerInspectInfo): readonly string[] {
  return info.Mounts.flatMap(({ Type, Name }) =>
    Type === 'volume' && Name !== undefined && /^[0-9a-f]{64}$/.test(Name) ? [Name] : [],
  )
}

/** An environment mounts no named volume but holm's; podman keeps no labels on those it makes with a container. */
function namedVolumes(info: Docker.ContainerInspectInfo, engine: Engine): readonly string[] {
  const prefix = volumeName(engine.namespace, '')
  return info.Mounts.flatMap(({ Type, Name }) =>
    Type === 'volume' && Name?.startsWith(prefix) ? [Name] : [],
  )
}

interface VolumeRemoval {
  readonly engine: Engine
  readonly name: string
  /** Volumes that the environment had; none when it was removed before. */
  readonly attached: readonly string[]
}

/** Only volumes that holm made; the engine itself keeps what another environment uses. */
async function removeVolumes(docker: Docker, { engine, name, attached }: VolumeRemoval): Promise<void> {
  const { Volumes } = await docker.listVolumes({
    filters: { label: [`${label.namespace}=${engine.namespace}`] },
  })
  const labelled = (Volumes ?? []).filter(({ Labels }) =>
    [Labels?.[label.name], Labels?.[label.owner]].includes(name),
  )
  const own = new Set([...attached, ...labelled.map(({ Name }) => Name)])
  await Promise.all([...own].map((volume) => docker.getVolume(volume).remove().catch(ignoreInUse)))
}

function ignoreInUse(error: unknown): void {
  const { status } = parseFailure(error)
  if (status !== 409 && status !== 404) throw error
}

/** Images made for this environment alone: its snapshots, what it was cloned from, and what its clones came from. */
async function removeImages(docker: Docker, info: Docker.ContainerInspectInfo): Promise<void> {
  const snapshots = { label: [`${label.snapshotOf}=${info.Name.replace(/^\//, '')}`] }
  const images = await docker.listImages({ filters: JSON.stringify(snapshots) })
  const clone = info.Config.Labels?.[label.clone]
  await removeUnused(docker, images)
  await removeCommits(docker, info.Id)
  if (clone) await releaseCommit(docker, clone)
}

/** The container's description, or HOLM_ENVIRONMENT_NOT_FOUND. */
export async function requireContainer(
  docker: Docker,
  { engine, name }: Target,
): Promise<Docker.ContainerInspectInfo> {
  const info = await docker.getContainer(containerName(engine.namespace, name)).inspect().catch(ignoreMissing)
  if (!info || !isOurs(info, engine)) throw notFound(name)
  return info
}
