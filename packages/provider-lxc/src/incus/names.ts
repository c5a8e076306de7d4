import { createHash } from 'node:crypto'

/** Keys of an instance's configuration, a volume's, or an image's properties. */
export const key = {
  namespace: 'user.holm.namespace',
  record: 'user.holm.record',
  /** Who has started a stopped environment only to look into it; empty otherwise. */
  visit: 'user.holm.visit',
  /** An instance whose files are the start of its environment, not all of it. */
  unfinished: 'user.holm.unfinished',
  /** Property of an image: the SHA-256 of the tarball that it was made from. */
  base: 'holm.base',
} as const

/** A name that the daemon takes: letters, digits and hyphens, 63 at most, the first a letter, the last no hyphen. */
export function instanceName(namespace: string, name: string): string {
  return `${prefixOf(namespace)}-${name.endsWith('-') ? `${name}e` : name}`
}

/** Two namespaces never meet: what is left of the name is for people. */
function prefixOf(namespace: string): string {
  const plain = namespace
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 12)
  return `${plain === '' ? 'holm' : plain.replace(/-+$/, '')}-${hash(namespace).slice(0, 6)}`
}

export function volumeName(
  namespace: string,
  volume: { readonly name: string; readonly index: number; readonly source?: string },
): string {
  const own = volume.source ?? `${volume.name}\0${volume.index}`
  return `${prefixOf(namespace)}-${volume.source === undefined ? 'anonymous' : 'volume'}-${hash(own).slice(0, 20)}`
}

/** As the user wrote it where the daemon takes that, else in letters and digits that can be turned back. */
export function encodeSnapshot(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,60}$/.test(name) && !name.startsWith('x-')) return name
  return `x-${Buffer.from(name, 'utf8').toString('hex')}`
}

export function decodeSnapshot(name: string): string {
  return name.startsWith('x-') ? Buffer.from(name.slice(2), 'hex').toString('utf8') : name
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
