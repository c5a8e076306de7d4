import type { ArchiveManifest, ArchivePart } from '../../copies-api.ts'
import { HolmError } from '../../errors.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import { looserThanDefault } from '../environment/info.ts'
import { companionsOf } from '../environment/select-provider.ts'
import { damaged } from './archive.ts'

const names: Readonly<Record<ArchivePart['kind'], RegExp>> = {
  rootfs: /^rootfs\.tar$/,
  volume: /^volume-\d+\.tar$/,
  files: /^files-\d+\.tar$/,
}

/** Pure. HOLM_BASE_INVALID for what is no manifest, and for one of a version that this holm does not know. */
export function parseManifest(text: string): ArchiveManifest {
  const value = parseJson(text)
  if (value['format'] !== 'holm-environment') throw damaged('its manifest is of something else')
  if (value['version'] !== 1) {
    throw new HolmError(
      'HOLM_BASE_INVALID',
      `the archive has version ${String(value['version'])}, this holm knows 1`,
      {
        hint: 'Use the newer holm that wrote it, or export it again with this one.',
      },
    )
  }
  const { spec, parts, name } = value as Partial<ArchiveManifest>
  if (typeof name !== 'string' || !isSpec(spec)) throw damaged('its manifest has no specification')
  if (!Array.isArray(parts) || !parts.every(isPart)) throw damaged('its manifest names parts that cannot be')
  const paths = parts.map(({ path }) => path)
  if (new Set(paths).size !== paths.length || !paths.includes('rootfs.tar'))
    throw damaged('its manifest names no root filesystem, or a part twice')
  return value as unknown as ArchiveManifest
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw damaged('its manifest is no JSON')
}

function isPart(value: unknown): value is ArchivePart {
  const { path, kind, target, sha256, sizeBytes } = (value ?? {}) as Partial<ArchivePart>
  return (
    kind !== undefined &&
    kind in names &&
    typeof path === 'string' &&
    names[kind].test(path) &&
    (kind === 'rootfs' || (typeof target === 'string' && target.startsWith('/'))) &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    Number.isSafeInteger(sizeBytes)
  )
}

/** The lists and objects that the code relies on; the rest is checked by whoever uses it. */
function isSpec(value: unknown): value is EnvironmentSpec {
  const spec = (value ?? {}) as Partial<Record<keyof EnvironmentSpec, unknown>>
  const lists = ['mounts', 'ports', 'expose', 'services'] as const
  const objects = ['origin', 'env', 'exec', 'resources', 'security', 'provision', 'lifecycle'] as const
  return (
    lists.every((key) => Array.isArray(spec[key])) &&
    objects.every((key) => typeof spec[key] === 'object' && spec[key] !== null) &&
    typeof spec.network === 'string'
  )
}

/** The spec as far as one from elsewhere is trusted: nothing looser than the defaults, nothing of another runtime. */
export function safeSpec(spec: EnvironmentSpec): { spec: EnvironmentSpec; dropped: readonly string[] } {
  const options = Object.keys(spec.options ?? {})
  const companions = companionsOf(spec)
  const dropped = [
    ...companions.map((name) => `it had the service ${name}, made from an image`),
    ...looserThanDefault(spec).map((each) => `the original ${each}`),
    ...options.map((id) => `it had options for the provider ${id}`),
  ]
  const named = !['default', 'none'].includes(spec.network)
  const { nestedDocker: _nestedDocker, ...rest } = spec
  return {
    dropped:
      named && spec.network !== 'host' ? [...dropped, `it was in the network ${spec.network}`] : dropped,
    spec: {
      ...rest,
      mounts: spec.mounts.filter((mount) => mount.type !== 'volume' || mount.own !== true),
      secrets: {},
      options: {},
      services: spec.services.filter(({ name }) => !companions.includes(name)),
      lifecycle: { ...spec.lifecycle, initialize: [] },
      security: {
        privileged: false,
        capAdd: [],
        capDrop: spec.security.capDrop,
        securityOpt: [],
        devices: [],
      },
      network: named ? 'default' : spec.network,
      ports: spec.ports.map(({ host: _host, ...port }) => ({ ...port, hostIp: '127.0.0.1' })),
    },
  }
}
