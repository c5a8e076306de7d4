import type { Traits } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'

/** Where the engine keeps its images, containers and volumes. */
const dataFolder = '/var/lib/docker'

/** The dot keeps it apart from what a blueprint is likely to call its own. */
function dockerVolume(name: string): string {
  return `${name}.docker`
}

/**
 * What an engine inside needs besides rights: it is installed, and where the root filesystem is an overlay its data lies in a
 * volume, for an overlay cannot be laid over another. A mount of the blueprint at that place is used as it is. Pure.
 */
export function nestDocker(spec: EnvironmentSpec, traits: Pick<Traits, 'isolation'>): EnvironmentSpec {
  if (spec.nestedDocker !== true) return spec
  const nested = { ...spec, provision: { ...spec.provision, docker: true as const } }
  if (traits.isolation === 'vm' || spec.mounts.some(({ target }) => target === dataFolder)) return nested
  const source = dockerVolume(spec.name)
  const mount = { type: 'volume', source, target: dataFolder, readonly: false, own: true } as const
  return { ...nested, mounts: [...spec.mounts, mount] }
}

/** Names of the volumes that go with their environment: see `RemoveOptions.own`. */
export function ownVolumes(spec: Pick<EnvironmentSpec, 'mounts'> | undefined): readonly string[] {
  return (spec?.mounts ?? []).flatMap((mount) =>
    mount.type === 'volume' && mount.own === true && mount.source !== undefined ? [mount.source] : [],
  )
}

/** For one that holm has forgotten how it was made. */
export function likelyOwnVolumes(
  name: string,
  spec: Pick<EnvironmentSpec, 'mounts'> | undefined,
): readonly string[] {
  return spec === undefined ? [dockerVolume(name)] : ownVolumes(spec)
}

/** Two engines must not write into one folder: another environment has volumes of its own. */
export function reownMounts(mounts: EnvironmentSpec['mounts'], name: string): EnvironmentSpec['mounts'] {
  return mounts.map((mount) =>
    mount.type === 'volume' && mount.own === true ? { ...mount, source: dockerVolume(name) } : mount,
  )
}
