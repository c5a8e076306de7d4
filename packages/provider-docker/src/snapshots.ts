import { randomBytes } from 'node:crypto'
import { HolmError } from '@holm/core'
import type { EnvironmentState, ProviderContext, SnapshotInfo, SnapshotsFacet } from '@holm/core'
import type Docker from 'dockerode'
import type { Engine } from './engine.ts'
import { ignoreMissing } from './images.ts'
import { requireContainer } from './lifecycle.ts'
import { containerName, imageReference, label, snapshotImage } from './names.ts'
import { parseInspect } from './parse.ts'
import { recreateOptions } from './recreate.ts'

export function snapshotsFacet(engine: Engine): SnapshotsFacet {
  return {
    create: (name, snapshot, ctx) => createSnapshot(engine, { name, snapshot, ctx }),
    list: (name, ctx) => listSnapshots(engine, name, ctx),
    restore: (name, snapshot, ctx) => restoreSnapshot(engine, { name, snapshot, ctx }),
    remove: (name, snapshot, ctx) =>
      engine.use(
        { ctx, action: `remove the snapshot ${snapshot} of ${name}`, environment: name },
        async (docker) => {
          await docker
            .getImage(referenceOf(engine, { name, snapshot }))
            .remove({ force: true })
            .catch(ignoreMissing)
        },
      ),
  }
}

interface SnapshotRequest {
  readonly name: string
  readonly snapshot: string
  readonly ctx: ProviderContext
}

function referenceOf(
  engine: Engine,
  { name, snapshot }: { readonly name: string; readonly snapshot: string },
): string {
  return imageReference(snapshotImage({ namespace: engine.namespace, name }, snapshot))
}

async function createSnapshot(engine: Engine, request: SnapshotRequest): Promise<SnapshotInfo> {
  const { name, ctx } = request
  return engine.use({ ctx, action: `snapshot ${name}`, environment: name }, async (docker) => {
    const info = await requireContainer(docker, { engine, name, ctx })
    const reference = referenceOf(engine, request)
    if (await docker.getImage(reference).inspect().catch(ignoreMissing)) throw taken(request)
    await commitContainer(docker, info, { reference, labels: snapshotLabels(engine, request) })
    return parseSnapshot(await docker.getImage(reference).inspect(), request)
  })
}

function snapshotLabels(engine: Engine, { name, snapshot }: SnapshotRequest): Record<string, string> {
  return { [label.snapshotOf]: containerName(engine.namespace, name), [label.snapshot]: snapshot }
}

/** A running environment is paused for the moment of the copy. */
export async function commitContainer(
  docker: Docker,
  info: Docker.ContainerInspectInfo,
  image: {
    readonly reference: string
    readonly labels: Readonly<Record<string, string>>
    readonly env?: Readonly<Record<string, string>>
  },
): Promise<string> {
  const [repo, tag] = image.reference.split(':')
  const changes = [
    ...Object.entries(image.labels).map(([key, value]) => `LABEL ${key}=${quoteInstruction(value)}`),
    ...Object.entries(image.env ?? {}).map(([key, value]) => `ENV ${key}=${quoteInstruction(value)}`),
  ]
  const made: { readonly Id: string } = await docker
    .getContainer(info.Id)
    .commit({ repo, tag, changes: changes.join('\n'), pause: info.State.Running && !info.State.Paused })
  return imageId(made.Id)
}

/** Podman leaves the algorithm out, and what is left reads like a name without a tag. */
export function imageId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id
}

/** A value in double quotes as a Dockerfile has it: `$` would be looked up, a backslash escapes. */
function quoteInstruction(value: string): string {
  return `"${value.replaceAll(/[\\"$]/g, String.raw`\$&`)}"`
}

function taken({ name, snapshot }: SnapshotRequest): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_CONFLICT', `"${name}" has a snapshot "${snapshot}" already`, {
    hint: 'Choose another name, or remove the old one.',
  })
}

async function listSnapshots(
  engine: Engine,
  name: string,
  ctx: ProviderContext,
): Promise<readonly SnapshotInfo[]> {
  return engine.use({ ctx, action: `list the snapshots of ${name}`, environment: name }, async (docker) => {
    await requireContainer(docker, { engine, name, ctx })
    const images = await docker.listImages({
      filters: JSON.stringify({ label: [`${label.snapshotOf}=${containerName(engine.namespace, name)}`] }),
    })
    return images
      .filter(({ RepoTags }) => (RepoTags ?? []).some((tag) => tag.includes('holm-snapshot/')))
      .map((image) => ({
        name: image.Labels[label.snapshot] ?? '',
        environment: name,
        createdAt: new Date(image.Created * 1000).toISOString(),
        sizeBytes: image.Size,
        includesMemory: false,
      }))
      .toSorted((a, b) =>
        a.createdAt === b.createdAt ? (a.name < b.name ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1,
      )
  })
}

function parseSnapshot(image: Docker.ImageInspectInfo, { name, snapshot }: SnapshotRequest): SnapshotInfo {
  return {
    name: snapshot,
    environment: name,
    createdAt: new Date(image.Created).toISOString(),
    sizeBytes: image.Size,
    includesMemory: false,
  }
}

/** The new container is made before the old one goes: a failure leaves the environment as it was. */
async function restoreSnapshot(engine: Engine, request: SnapshotRequest): Promise<EnvironmentState> {
  const { name, snapshot, ctx } = request
  return engine.use({ ctx, action: `restore ${name}`, environment: name }, async (docker) => {
    const info = await requireContainer(docker, { engine, name, ctx })
    const reference = referenceOf(engine, request)
    const image = await docker.getImage(reference).inspect().catch(ignoreMissing)
    if (!image) {
      throw new HolmError('HOLM_USAGE', `"${name}" has no snapshot "${snapshot}"`, {
        hint: 'List them to see which there are.',
      })
    }
    const target = containerName(engine.namespace, name)
    const created = await docker.createContainer({
      ...recreateOptions(info, reference),
      name: `${target}.restore-${randomBytes(3).toString('hex')}`,
    })
    await docker.getContainer(info.Id).remove({ force: true })
    await created.rename({ name: target })
    return parseInspect(await created.inspect(), name)
  })
}
