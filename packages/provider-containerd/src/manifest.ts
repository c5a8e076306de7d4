import { createHash } from 'node:crypto'
import type { Descriptor } from './api.ts'

export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const

export interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

interface Platform {
  readonly os?: string
  readonly architecture?: string
}

/** Pure: a manifest; undefined for a list of manifests and for what is neither. */
export function parseManifest(value: unknown): Manifest | undefined {
  const { config, layers } = (value ?? {}) as { config?: unknown; layers?: unknown }
  const parsed = parseDescriptor(config)
  if (!parsed || !Array.isArray(layers)) return undefined
  const found = layers.map(parseDescriptor)
  return found.every((each) => each !== undefined) ? { config: parsed, layers: found } : undefined
}

/** Pure: the manifest for this machine in a list; undefined when there is none. */
export function chooseManifest(value: unknown, architecture: string): Descriptor | undefined {
  const { manifests } = (value ?? {}) as { manifests?: unknown }
  if (!Array.isArray(manifests)) return undefined
  const wanted = manifests.find((each: { platform?: Platform } | null) => {
    const { os, architecture: found } = each?.platform ?? {}
    return os === 'linux' && found === architecture
  }) as unknown
  return parseDescriptor(wanted)
}

/** Go's name of an architecture that Node names otherwise. */
export function goArchitecture(arch: string): string {
  return { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' }[arch] ?? arch
}

function parseDescriptor(value: unknown): Descriptor | undefined {
  const { mediaType, digest, size } = (value ?? {}) as Record<string, unknown>
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || typeof size !== 'number')
    return undefined
  return /^sha256:[0-9a-f]{64}$/.test(digest) ? { mediaType, digest, size } : undefined
}

/** Pure: the layers' digests, unpacked, of an image configuration. */
export function parseDiffIds(config: unknown): readonly string[] {
  const { rootfs } = (config ?? {}) as { rootfs?: { diff_ids?: unknown } }
  const ids = rootfs?.diff_ids
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : []
}

/** Pure: the name under which containerd keeps the files of the first n layers, for each n. */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = []
  for (const id of diffIds) {
    const parent = chain.at(-1)
    chain.push(
      parent === undefined ? id : `sha256:${createHash('sha256').update(`${parent} ${id}`).digest('hex')}`,
    )
  }
  return chain
}

/** Pure: labels that keep what a manifest refers to. */
export function manifestLabels({ config, layers }: Manifest): Record<string, string> {
  return {
    'containerd.io/gc.ref.content.config': config.digest,
    ...Object.fromEntries(
      layers.map(({ digest }, index) => [`containerd.io/gc.ref.content.l.${index}`, digest]),
    ),
  }
}
