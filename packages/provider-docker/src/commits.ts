import { randomBytes } from 'node:crypto'
import type Docker from 'dockerode'
import { keysOf } from './clone-env.ts'
import { parseFailure } from './engine-errors.ts'
import { ignoreMissing } from './images.ts'
import { label } from './names.ts'

/** The origin's files as an image. */
export interface Commit {
  readonly id: string
  readonly unset: readonly string[]
}

/** The image of that name, made for clones. */
export async function findCommit(docker: Docker, reference: string): Promise<Commit | undefined> {
  const found = await docker.getImage(reference).inspect().catch(ignoreMissing)
  return found ? { id: found.Id, unset: keysOf(found.Config, label.unset) } : undefined
}

function listCommits(docker: Docker, container: string): Promise<Docker.ImageInfo[]> {
  return docker.listImages({ filters: JSON.stringify({ label: [`${label.cloneOf}=${container}`] }) })
}

/** Images of what the container held at earlier stops. One that a clone uses goes with that clone. */
export async function removeOldCommits(docker: Docker, container: string): Promise<void> {
  const old = (await listCommits(docker, container)).filter(({ Labels }) => !Labels[label.cloneMoment])
  await removeUnused(docker, old)
}

/** Called once the container is gone: all of them, but those that clones use. */
export async function removeCommits(docker: Docker, container: string): Promise<void> {
  await removeUnused(docker, await listCommits(docker, container))
}

/** Newest first, and again for those that were in the way of each other: the engine removes no image before its children. */
export async function removeUnused(docker: Docker, images: readonly Docker.ImageInfo[]): Promise<void> {
  let left = images.toSorted((one, other) => other.Created - one.Created)
  for (let before = left.length + 1; left.length > 0 && left.length < before;) {
    before = left.length
    const kept: Docker.ImageInfo[] = []
    for (const image of left) if (!(await removeUnlessUsed(docker, image.Id))) kept.push(image)
    left = kept
  }
}

/** The engine refuses while a container uses it. True when it is gone. */
export async function removeUnlessUsed(docker: Docker, image: string): Promise<boolean> {
  return docker
    .getImage(image)
    .remove()
    .then(
      () => true,
      (error: unknown) => parseFailure(error).status === 404,
    )
}

/**
 * Called once a clone is gone: its image goes, too, unless its origin keeps it for more clones. Of an origin that was a clone itself
 * and is gone, what that was made from was only needed by this one.
 */
export async function releaseCommit(docker: Docker, image: string): Promise<void> {
  const found = await docker.getImage(image).inspect().catch(ignoreMissing)
  if (!found) return
  const {
    [label.cloneOf]: origin,
    [label.cloneMoment]: moment,
    [label.clone]: below,
  } = found.Config.Labels ?? {}
  const kept = origin && !moment && (await docker.getContainer(origin).inspect().catch(ignoreMissing))
  if (kept || !(await removeUnlessUsed(docker, image))) return
  if (below !== undefined && below !== image) await releaseCommit(docker, below)
}

/** Its files change without a start: no later clone may be made from what was committed before. */
export async function forgetCommits(docker: Docker, container: string): Promise<void> {
  for (const { Id, RepoTags, Labels } of await listCommits(docker, container)) {
    if (Labels[label.cloneMoment]) continue
    const [reference] = RepoTags ?? []
    if (reference === undefined) continue
    // A name can only be taken from an image in use when it has another.
    const repo = reference.slice(0, reference.lastIndexOf(':'))
    await docker.getImage(Id).tag({ repo, tag: `old-${randomBytes(6).toString('hex')}` })
    await docker.getImage(reference).remove().catch(ignoreMissing)
    await removeUnlessUsed(docker, Id)
  }
}
