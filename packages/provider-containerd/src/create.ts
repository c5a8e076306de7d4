import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { HolmError, assertNotAborted } from '@holm/core'
import type { EnvironmentSpec, EnvironmentState, ProviderContext } from '@holm/core'
import { packJson, specType } from './api.ts'
import type { Container } from './api.ts'
import type { Client } from './client.ts'
import type { Engine } from './engine.ts'
import { findEnvironment, stateOf } from './environment.ts'
import { explain, isStatus } from './failure.ts'
import { findBase, imageName, prepareBase } from './images.ts'
import type { PreparedBase } from './images.ts'
import { loadDevice, loadMachine } from './machine.ts'
import type { Device } from './machine.ts'
import { cgroupPath, identifier, label, runtime, snapshotter } from './names.ts'
import { assertNetwork } from './network.ts'
import { ociSpec } from './oci-spec.ts'
import { containerdOptions } from './options.ts'
import { filesOf, packRecord, sameLabels } from './record.ts'
import type { EnvironmentRecord } from './record.ts'
import { wantedLimits } from './resources.ts'
import { resolveVolumes } from './volumes.ts'

export interface CreateRequest {
  readonly spec: EnvironmentSpec
  /** Files to start from instead of the base's: a snapshot that is there. */
  readonly origin?: {
    readonly base: PreparedBase
    /** Makes the snapshot under this key; it keeps what it came from until then. */
    readonly prepare: (key: string) => Promise<void>
    readonly parent: string
  }
}

/** The container first, for it is what arbitrates and what `list` finds; then its files. */
export async function createEnvironment(
  engine: Engine,
  request: CreateRequest,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const { spec, origin } = request
  assertNetwork(spec)
  const base = origin?.base ?? (await resolveBase(engine, spec, ctx))
  return engine.use({ ctx, action: `create ${spec.name}` }, async (client) => {
    const draft = draftContainer(engine, spec, {
      base,
      parent: origin?.parent ?? base.chain,
      attempt: randomBytes(6).toString('hex'),
    })
    try {
      await client.call('Containers.Create', { container: draft.container })
    } catch (error) {
      if (!isStatus(error, 'ALREADY_EXISTS')) throw error
      return existing(client, spec, error)
    }
    try {
      await prepareFiles(client, draft, { engine, request, ctx })
      assertNotAborted(ctx.signal)
      const found = await findEnvironment(client, spec.name)
      if (found) return await stateOf(found)
      throw busy(spec.name)
    } catch (error) {
      await removeDraft(client, draft)
      const lost = { action: `create ${spec.name}`, address: engine.address, lost: true }
      throw isStatus(error, 'UNAVAILABLE') ? explain(error, lost) : error
    }
  })
}

async function resolveBase(
  engine: Engine,
  spec: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<PreparedBase> {
  const action = `look for the base of ${spec.name}`
  const found = await engine.use({ ctx, action }, (client) => findBase(client, imageName(spec.base)))
  return found ?? (await prepareBase(engine, spec.base, ctx))
}

interface Draft {
  readonly container: Partial<Container> & { readonly id: string; readonly snapshotKey: string }
  readonly record: EnvironmentRecord
}

interface DraftInput {
  readonly base: PreparedBase
  readonly parent: string
  readonly attempt: string
}

function draftContainer(engine: Engine, spec: EnvironmentSpec, input: DraftInput): Draft {
  const id = identifier(spec.name)
  const machine = loadMachine()
  const options = containerdOptions(spec)
  const folder = path.join(engine.folder, 'environments', id)
  const volumes = resolveVolumes(spec, { root: path.join(engine.folder, 'volumes'), folder })
  const record: EnvironmentRecord = {
    name: spec.name,
    labels: spec.labels,
    folder,
    hostname: spec.hostname,
    network: spec.network,
    ...(spec.aliases && { aliases: spec.aliases }),
    ports: spec.ports,
    limits: wantedLimits(spec.resources),
    enforcers: machine.enforcers,
    user: spec.user ?? input.base.config.user,
    mainUser: spec.main === 'hold' ? '0' : (spec.user ?? input.base.config.user),
    workdir: input.base.config.workdir,
    parent: input.parent,
    base: { name: input.base.name, digest: input.base.digest, chain: input.base.chain },
    config: input.base.config,
    volumes,
    binds: spec.mounts.flatMap((mount) => (mount.type === 'bind' ? [mount.source] : [])),
    options,
    attempt: input.attempt,
  }
  const oci = ociSpec({
    spec,
    image: input.base.config,
    machine,
    options,
    cgroupsPath: cgroupPath(engine.namespace, id),
    etc: filesOf(folder).etc,
    volumes: new Map(volumes.map((volume) => [volume.target, volume.folder])),
    devices: spec.security.devices.map(requireDevice),
    user: { uid: 0, gid: 0 },
  })
  const container = {
    id,
    labels: { ...shortLabels(spec.labels), [label.name]: spec.name },
    image: input.base.name,
    runtime: { name: options.runtime ?? runtime },
    spec: packJson(specType, oci),
    snapshotter,
    snapshotKey: `env-${id}-${input.attempt}`,
    extensions: packRecord(record),
  }
  return { container, record }
}

/** For people who look with containerd's own tools: it refuses labels above 4 KiB. */
function shortLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const short = Object.entries(labels).filter(([key, value]) => Buffer.byteLength(key + value) < 4000)
  return Object.fromEntries(short)
}

function requireDevice(device: string): Device {
  const found = loadDevice(device)
  if (found) return found
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `there is no device ${device} on this machine`, {
    hint: 'Correct the devices of the blueprint.',
    details: { device },
  })
}

interface Preparation {
  readonly engine: Engine
  readonly request: CreateRequest
  readonly ctx: ProviderContext
}

async function prepareFiles(
  client: Client,
  { container, record }: Draft,
  { engine, request, ctx }: Preparation,
): Promise<void> {
  const key = container.snapshotKey
  if (request.origin) return request.origin.prepare(key)
  const prepare = { snapshotter, key, parent: record.parent }
  try {
    await client.call('Snapshots.Prepare', prepare)
  } catch (error) {
    if (!isStatus(error, 'NOT_FOUND')) throw error
    // The image is there and its files are not: somebody removed them.
    await prepareBase(engine, request.spec.base, ctx)
    await client.call('Snapshots.Prepare', prepare)
  }
}

/** Only what this attempt made. */
async function removeDraft(client: Client, { container }: Draft): Promise<void> {
  await client.call('Snapshots.Remove', { snapshotter, key: container.snapshotKey }).catch(() => {})
  // The first error is the one to tell; what is left carries labels and is found by `list`.
  await client.call('Containers.Delete', { id: container.id }).catch(() => {})
}

/** The name is taken: by the same environment, which is fine, or by another. */
async function existing(client: Client, spec: EnvironmentSpec, cause: unknown): Promise<EnvironmentState> {
  const found = await findEnvironment(client, spec.name)
  if (found && sameLabels(spec.labels, found.record.labels)) return stateOf(found)
  const id = identifier(spec.name)
  const exists = found ?? (await client.call('Containers.Get', { id }).catch(() => undefined))
  if (!exists) throw busy(spec.name, cause)
  const what = found ? 'another environment' : 'a container that holm did not make'
  throw new HolmError(
    'HOLM_ENVIRONMENT_CONFLICT',
    `the name "${spec.name}" is taken by ${what} (container ${id})`,
    { hint: `Choose another name, or remove it with \`holm destroy ${spec.name}\`.`, cause },
  )
}

function busy(name: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is making or removing "${name}"`, {
    hint: 'Try again when it has ended.',
    cause,
  })
}
