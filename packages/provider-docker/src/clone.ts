import { createHash, randomBytes } from 'node:crypto'
import { isHolmError } from '@holm/core'
import type { CloneFacet, EnvironmentSpec, EnvironmentState, ProviderContext } from '@holm/core'
import type Docker from 'dockerode'
import { cloneEnv } from './clone-env.ts'
import { findCommit, removeOldCommits, removeUnlessUsed, type Commit } from './commits.ts'
import { createEnvironment } from './create.ts'
import type { Engine } from './engine.ts'
import { ignoreMissing } from './images.ts'
import { requireContainer } from './lifecycle.ts'
import { label, repositoryPart } from './names.ts'
import { commitContainer } from './snapshots.ts'

interface CloneRequest {
  readonly name: string
  readonly spec: EnvironmentSpec
  readonly ctx: ProviderContext
}

/**
 * Commit, then create: the layers are shared, and the commit copies only what the origin changed. Of a stopped origin the
 * image is kept while the origin stands, so that any number of clones costs one commit; of a running one it belongs to the
 * clone. `remove` takes images away that nothing needs (see `removeImages`).
 */
export function cloneFacet(engine: Engine): CloneFacet {
  const commits = new Map<string, Promise<Commit>>()
  return {
    clone: (name, spec, ctx) =>
      engine.use({ ctx, action: `clone ${name}`, environment: name }, (docker) =>
        cloneEnvironment({ engine, docker, commits }, { name, spec, ctx }),
      ),
  }
}

interface Cloning {
  readonly engine: Engine
  readonly docker: Docker
  /** Commits under way in this process, by reference. */
  readonly commits: Map<string, Promise<Commit>>
}

async function cloneEnvironment(cloning: Cloning, request: CloneRequest): Promise<EnvironmentState> {
  const { engine, docker } = cloning
  const { ctx } = request
  const spec = withoutAddress(request.spec)
  const info = await requireContainer(docker, { engine, name: request.name, ctx })
  const cached = !info.State.Running && !info.State.Paused
  const commit = await (cached ? commitOnce(cloning, info) : commitNow(docker, info))
  try {
    return await createFrom(engine, commit, { spec, ctx })
  } catch (error) {
    // Another holm may have removed the image in this moment, together with the last clone of it.
    if (cached && isHolmError(error, 'HOLM_IMAGE_MISSING'))
      return createFrom(engine, await commitOnce(cloning, info), { spec, ctx })
    if (!cached) await removeUnlessUsed(docker, commit.id)
    throw error
  }
}

function createFrom(
  engine: Engine,
  { id, unset }: Commit,
  { spec, ctx }: Pick<CloneRequest, 'spec' | 'ctx'>,
): Promise<EnvironmentState> {
  return createEnvironment(engine, { spec, image: id, unset, labels: { [label.clone]: id } }, ctx)
}

/** A running origin changes: its image is of this moment. */
function commitNow(docker: Docker, info: Docker.ContainerInspectInfo): Promise<Commit> {
  const tag = randomBytes(6).toString('hex')
  return commit(docker, info, { reference: `${repositoryOf(info)}:${tag}`, moment: true })
}

/** A stopped one is told by its id and the time it stopped; `files.put` forgets the image (see `forgetCommits`). */
function commitOnce({ docker, commits }: Cloning, info: Docker.ContainerInspectInfo): Promise<Commit> {
  const state = createHash('sha256').update(`${info.Id} ${info.State.FinishedAt}`).digest('hex')
  const reference = `${repositoryOf(info)}:${state.slice(0, 24)}`
  const running = commits.get(reference)
  if (running) return running
  const work = findOrCommit(docker, info, reference).finally(() => commits.delete(reference))
  commits.set(reference, work)
  return work
}

async function findOrCommit(
  docker: Docker,
  info: Docker.ContainerInspectInfo,
  reference: string,
): Promise<Commit> {
  const found = await findCommit(docker, reference)
  if (found) return found
  await removeOldCommits(docker, info.Id)
  return commit(docker, info, { reference, moment: false })
}

async function commit(
  docker: Docker,
  info: Docker.ContainerInspectInfo,
  { reference, moment }: { readonly reference: string; readonly moment: boolean },
): Promise<Commit> {
  const image = await docker.getImage(info.Image).inspect().catch(ignoreMissing)
  const { restore, unset } = cloneEnv(info.Config, image?.Config ?? {})
  const labels = {
    [label.snapshotOf]: '',
    [label.snapshot]: '',
    [label.cloneOf]: info.Id,
    [label.cloneMoment]: moment ? '1' : '',
    [label.unset]: JSON.stringify(unset),
  }
  return { id: await commitContainer(docker, info, { reference, labels, env: restore }), unset }
}

/** A fixed hardware address is the origin's: two machines with one cannot share a network. */
function withoutAddress(spec: EnvironmentSpec): EnvironmentSpec {
  const { macAddress: _macAddress, ...docker } = (spec.options['docker'] ?? {}) as Record<string, unknown>
  return 'docker' in spec.options ? { ...spec, options: { ...spec.options, docker } } : spec
}

function repositoryOf(info: Docker.ContainerInspectInfo): string {
  return `holm-clone/${repositoryPart(info.Name.replace(/^\//, ''))}`
}
