import { dirname, resolve } from 'node:path'
import { fileOf } from './blueprint-context.ts'
import { isRecord } from './plain-value.ts'
import type { BlueprintLayer } from './validate-native.ts'
import type { BlueprintSource } from './blueprint-context.ts'

/**
 * Makes the relative paths of one file absolute, before layers of several folders are merged. A built-in and a file from
 * git have no folder of their own: their relative paths stay, and mean the project's folder.
 */
export function anchorPaths(layer: BlueprintLayer, source: BlueprintSource): BlueprintLayer {
  if (source.kind !== 'file') return layer
  const directory = dirname(fileOf(source))
  const anchor = (path: unknown): unknown =>
    typeof path === 'string' && !/^~(?:$|[/\\])/.test(path) ? resolve(directory, path) : path
  const result: Record<string, unknown> = { ...layer }
  if (layer['base'] !== undefined) result['base'] = anchorBase(layer['base'], anchor)
  if (typeof layer['wslConfigFile'] === 'string') result['wslConfigFile'] = anchor(layer['wslConfigFile'])
  if (layer['compose'] !== undefined) result['compose'] = anchorCompose(layer['compose'], anchor)
  if (Array.isArray(layer['bind_mounts'])) {
    result['bind_mounts'] = layer['bind_mounts'].map((mount: Record<string, unknown>) => ({
      ...mount,
      host: anchor(mount['host']),
    }))
  }
  if (isRecord(layer['secrets'])) result['secrets'] = anchorSecrets(layer['secrets'], anchor)
  return result
}

type Anchor = (path: unknown) => unknown

function anchorBase(base: unknown, anchor: Anchor): unknown {
  // As text it is a name or an image reference unless it looks like a path.
  if (typeof base === 'string') return /^\.{1,2}[/\\]/.test(base) ? anchor(base) : base
  if (!isRecord(base)) return base
  const paths = ['rootfs', 'folder', 'disk', 'dockerfile', 'context'].filter((key) => key in base)
  return { ...base, ...Object.fromEntries(paths.map((key) => [key, anchor(base[key])])) }
}

function anchorCompose(compose: unknown, anchor: Anchor): unknown {
  return isRecord(compose) ? { ...compose, file: anchor(compose['file']) } : anchor(compose)
}

function anchorSecrets(secrets: Record<string, unknown>, anchor: Anchor): Record<string, unknown> {
  const entries = Object.entries(secrets).map(([name, secret]) => {
    if (typeof secret === 'string' && secret.startsWith('file:')) {
      return [name, `file:${String(anchor(secret.slice('file:'.length)))}`]
    }
    return [name, isRecord(secret) && 'file' in secret ? { ...secret, file: anchor(secret['file']) } : secret]
  })
  return Object.fromEntries(entries) as Record<string, unknown>
}
