import { statSync } from 'node:fs'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec, Mount } from '@holm/core'
import type { LimaOptions } from './options.ts'
import type { ImageSource } from './record.ts'

/** Where Lima mounts nothing. */
const reserved = new Set(['/', '/bin', '/dev', '/etc', '/home', '/opt', '/sbin', '/tmp', '/usr', '/var'])

/** HOLM_BLUEPRINT_UNSUPPORTED for what Lima cannot do, before anything is made. */
export function assertSupported(spec: EnvironmentSpec): void {
  if (spec.network !== 'default')
    throw unsupported(`network "${spec.network}"`, 'Leave `network` out: each machine has its own.')
  if (spec.security.devices.length > 0)
    throw unsupported(`devices (${spec.security.devices.join(', ')})`, 'Leave `security.devices` out.')
  for (const mount of spec.mounts) assertMount(mount)
}

function assertMount(mount: Mount): void {
  if (mount.type === 'volume')
    throw unsupported(
      `the volume ${mount.source ?? ''} at ${mount.target}`,
      'Keep the data in the environment, or bind a folder.',
    )
  if (mount.type !== 'bind') return
  if (reserved.has(mount.target))
    throw unsupported(`a mount at ${mount.target}`, 'Mount it below, for example at /workspace.')
  if (isFile(mount.source))
    throw unsupported(`a mount of the single file ${mount.source}`, 'Mount its folder.')
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

export function unsupported(what: string, hint: string): HolmError {
  return new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `Lima cannot have ${what}`, { hint })
}

/** The disk image: the blueprint's own section wins over its base. HOLM_BASE_NOT_FOUND for a file that is not there. */
export function resolveImage(spec: EnvironmentSpec, options: LimaOptions): ImageSource {
  const source = options.image ?? baseImage(spec)
  if ('template' in source || !source.location.startsWith('/') || isFile(source.location)) return source
  throw new HolmError('HOLM_BASE_NOT_FOUND', `the disk image ${source.location} does not exist`, {
    hint: 'Check its path.',
  })
}

function baseImage({ base }: EnvironmentSpec): ImageSource {
  if (base.kind === 'image') return { template: templateOf(base.reference) }
  if (base.kind === 'disk') return { location: base.path, digest: `sha256:${base.sha256}` }
  throw new HolmError(
    'HOLM_BASE_INVALID',
    `Lima starts from disk images, not from a base of kind ${base.kind}`,
    {
      hint: 'Name a disk image as the base, or an address in `providers.lima.image.location`.',
    },
  )
}

/** Distributions that Lima offers disk images of, by their names as container images. */
const distributions = ['almalinux', 'alpine', 'debian', 'fedora', 'ubuntu'] as const

/**
 * Lima's template of the system that an image reference names: a machine boots no container image, but the blueprint
 * means the distribution. HOLM_IMAGE_MISSING for everything else.
 */
export function templateOf(reference: string): string {
  const [, name = '', tag = ''] = /^([a-z]+):([0-9.]+)$/.exec(reference) ?? []
  if (distributions.some((each) => each === name)) return `${name}-${tag}`
  throw new HolmError('HOLM_IMAGE_MISSING', `Lima has no disk image for ${reference}`, {
    hint: `Use a release of ${distributions.join(', ')} as the base, such as debian-12, or name an image in providers.lima.image.`,
  })
}
