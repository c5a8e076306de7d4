import type { Base } from '@holm/core'

export interface Reference {
  readonly registry: string
  readonly repository: string
  /** Tag or digest. */
  readonly version: string
}

/** Pure: the parts of a reference, with what everybody leaves out of it. `debian` is docker.io/library/debian:latest. */
export function parseReference({ reference, digest }: Extract<Base, { kind: 'image' }>): Reference {
  const [named = '', ownDigest] = reference.split('@')
  const tag = /:([^/:]+)$/.exec(named)?.[1]
  const rest = tag === undefined ? named : named.slice(0, -tag.length - 1)
  const [first = '', ...others] = rest.split('/')
  const version = digest ?? ownDigest ?? tag ?? 'latest'
  if (others.length === 0) return { registry: 'docker.io', repository: `library/${rest}`, version }
  const hasRegistry = /[.:]/.test(first) || first === 'localhost'
  return hasRegistry
    ? { registry: first, repository: others.join('/'), version }
    : { registry: 'docker.io', repository: rest, version }
}

/** Pure: the name that containerd's tools give the image. */
export function fullReference(base: Extract<Base, { kind: 'image' }>): string {
  if (base.reference.startsWith('holm.local/')) return base.reference
  const { registry, repository, version } = parseReference(base)
  return `${registry}/${repository}${version.startsWith('sha256:') ? '@' : ':'}${version}`
}
