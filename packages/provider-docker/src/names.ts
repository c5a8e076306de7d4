import { createHash } from 'node:crypto'

/** Labels this provider adds for itself; never part of `EnvironmentState.labels`. */
export const ownPrefix = 'dev.holm.docker.'

export const label = {
  namespace: `${ownPrefix}namespace`,
  name: `${ownPrefix}name`,
  /** JSON list of the keys of the spec's labels: an image's labels are inherited by its containers and must be told apart. */
  keys: `${ownPrefix}keys`,
  /** JSON of the limits asked for, so that `list` can tell them from one call. */
  limits: `${ownPrefix}limits`,
  /** "uid:gid" that the environment's user shall have, see match-user.ts. */
  matchIds: `${ownPrefix}match-ids`,
  matchUser: `${ownPrefix}match-user`,
  /** Who programs run as by default, when the main process is ours and runs as root; see `containerConfig`. */
  user: `${ownPrefix}user`,
  /** One random value per `create`: what a failed one made is told from what was there before. */
  attempt: `${ownPrefix}attempt`,
  network: `${ownPrefix}network`,
  /** Of a companion and its volumes: the environment that it belongs to. */
  owner: `${ownPrefix}owner`,
  snapshotOf: `${ownPrefix}snapshot-of`,
  snapshot: `${ownPrefix}snapshot`,
  base: `${ownPrefix}base`,
  /** Of a container: id of the image it was cloned from. */
  clone: `${ownPrefix}clone`,
  /** Of an image: id of the container whose files it holds. */
  cloneOf: `${ownPrefix}clone-of`,
  /** Of an image: not empty when the container ran, and the image is one clone's alone. */
  cloneMoment: `${ownPrefix}clone-moment`,
  /** Keys of the spec's env, which a clone does not take over. */
  env: `${ownPrefix}env`,
  /** Of an image: keys in its env that no container made from it may have. */
  unset: `${ownPrefix}unset`,
} as const

export function containerName(namespace: string, name: string): string {
  return `${namespace}-${name}`
}

/** Shared by the environments of a namespace that name it. */
export function volumeName(namespace: string, volume: string): string {
  return `${namespace}-${volume}`
}

export function networkName(namespace: string, network: string): string {
  return `${namespace}-${network}`
}

/** Repository and tag of an image made here. */
export interface ImageName {
  readonly repo: string
  readonly tag: string
}

export function imageReference(image: ImageName): string {
  return `${image.repo}:${image.tag}`
}

/** A name that the engine takes as part of a repository: lower case, digits, single separators. */
export function repositoryPart(name: string): string {
  const part = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  return part === '' ? 'base' : part
}

export function snapshotImage(
  scope: { readonly namespace: string; readonly name: string },
  snapshot: string,
): ImageName {
  return {
    repo: `holm-snapshot/${repositoryPart(containerName(scope.namespace, scope.name))}`,
    tag: tagOf(snapshot),
  }
}

/** A tag as written when the engine takes it, else a hash of it: the label keeps what the user wrote. */
function tagOf(name: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(name)) return name
  return `x-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`
}

/**
 * Tells what this call makes from what any other does; no secret. 25 letters and digits, so that none is part of another. node:crypto takes longer
 * to load than an exec takes to be made.
 */
export function uniqueMark(): string {
  const parts = [
    [process.pid, 6],
    [Date.now(), 8],
    [Math.floor(Math.random() * Number.MAX_SAFE_INTEGER), 11],
  ] as const
  return parts.map(([part, length]) => part.toString(36).padStart(length, '0')).join('')
}
