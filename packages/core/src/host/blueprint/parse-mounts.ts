import { isAbsolute, posix, resolve } from 'node:path'
import { HolmError } from '../../errors.ts'
import { invalidQuantity, parseSize } from './parse-quantity.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { BindMount, TmpfsMount, VolumeMount } from '../../spec.ts'

type Entry<Key extends keyof Blueprint> =
  NonNullable<Blueprint[Key]> extends readonly (infer Item)[] ? Item : never

/** Where relative paths and `~` of a blueprint lead. */
export interface PathContext {
  readonly directory: string
  readonly home: string | undefined
}

/** `~`, relative and absolute paths of this machine to absolute ones. */
export function resolveHostPath(path: string, context: PathContext): string {
  if (path !== '~' && !/^~[/\\]/.test(path)) return isAbsolute(path) ? path : resolve(context.directory, path)
  if (context.home === undefined) {
    throw new HolmError(
      'HOLM_BLUEPRINT_INVALID',
      `${JSON.stringify(path)} needs a home folder, and HOME is not set`,
      {
        hint: 'Set HOME or write the whole path.',
      },
    )
  }
  return resolve(context.home, `.${path.slice(1)}`)
}

/** HOME, or USERPROFILE on Windows. */
export function homeOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return env['HOME'] || env['USERPROFILE'] || undefined
}

/** A path inside the environment: absolute, without `..`, no trailing slash. Throws HOLM_BLUEPRINT_INVALID. */
export function parseTarget(path: string): string {
  if (!path.startsWith('/') || path.includes('\u0000') || path.split('/').includes('..')) {
    throw invalidQuantity(path, 'an absolute path inside the environment, such as "/workspace"')
  }
  const clean = posix.normalize(path)
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean
}

/** A name that is one in every runtime, and leads nowhere: providers make names and folders of it. Throws HOLM_BLUEPRINT_INVALID. */
export function parseVolumeName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(name)) return name
  throw invalidQuantity(name, 'the name of a volume: letters, digits, "_", "." and "-", 1 to 100 characters')
}

export function toVolume(volume: Entry<'volumes'>): VolumeMount {
  const source = volume.name === undefined ? {} : { source: parseVolumeName(volume.name) }
  return { type: 'volume', ...source, target: parseTarget(volume.mount), readonly: volume.readonly ?? false }
}

export function toBind(mount: Entry<'bind_mounts'>, context: PathContext): BindMount {
  return {
    type: 'bind',
    source: resolveHostPath(mount.host, context),
    target: parseTarget(mount.container),
    readonly: mount.readonly ?? false,
  }
}

/** "/tmp", "/tmp:size=64m,mode=1777" (as Docker spells it) or an object. Options other than `size` are dropped. */
export function toTmpfs(tmpfs: Entry<'tmpfs'>): TmpfsMount {
  if (typeof tmpfs !== 'string') {
    return { type: 'tmpfs', target: parseTarget(tmpfs.mount), ...sizeOf(tmpfs.size) }
  }
  const [target = '', options = ''] = tmpfs.split(':')
  const size = options.split(',').find((option) => option.startsWith('size='))
  return { type: 'tmpfs', target: parseTarget(target), ...sizeOf(size?.slice('size='.length)) }
}

function sizeOf(size: string | undefined): { sizeBytes?: number } {
  return size === undefined ? {} : { sizeBytes: parseSize(size) }
}
