import { createHash } from 'node:crypto'

/** Labels and names that this provider adds for itself; never part of `EnvironmentState.labels`. */
export const ownPrefix = 'dev.holm.containerd.'

export const label = {
  /** Name of the environment; marks a container as an environment. */
  name: `${ownPrefix}name`,
  /** JSON of the image's configuration, as far as environments need it. */
  config: `${ownPrefix}config`,
  /** Snapshot that an image's files are unpacked into. */
  chain: `${ownPrefix}chain`,
  /** SHA-256 of the tarball that an image was made from. */
  base: `${ownPrefix}base`,
  /** On a committed snapshot: key of the active one it was made from. */
  origin: `${ownPrefix}origin`,
  /** On a committed snapshot: the name that the user gave it. Absent: it is only there for clones. */
  snapshot: `${ownPrefix}snapshot`,
} as const

/** Keeps what carries it from containerd's garbage collector. */
export const gcRoot = 'containerd.io/gc.root'

export const extension = 'dev.holm.environment'

export const snapshotter = 'overlayfs'

export const runtime = 'io.containerd.runc.v2'

/** containerd's identifiers take no two separators in a row and none at the end; a name that has them gets a hash. */
export function identifier(name: string): string {
  return /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/.test(name) && name.length <= 64
    ? name
    : `${name.slice(0, 30).replaceAll(/[^A-Za-z0-9]+/g, '')}.${hash(name, 16)}`
}

/** Of the names of all bridges of holm's here: rules of the firewall mean them all by it. With eight more they fit into a device's 15. */
export const bridgePrefix = 'holmc'

export function hash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length)
}

export function cgroupPath(namespace: string, id: string): string {
  // One level only: runc removes the group itself, and would leave a parent behind.
  return `/holm-${namespace}-${id}`
}
