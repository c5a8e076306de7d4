import type { ContainerCreateOptions, ContainerInspectInfo, HostConfig, MountSettings } from 'dockerode'

/** Pure: what makes the same container again from another image, with the volumes it has, also the anonymous ones. */
export function recreateOptions(info: ContainerInspectInfo, image: string): ContainerCreateOptions {
  const { Config, HostConfig } = info
  return {
    ...Config,
    Image: image,
    HostConfig: { ...HostConfig, Mounts: keptMounts(info), Ulimits: keptUlimits(HostConfig) },
  }
}

/** podman writes RLIMIT_NOFILE and reads nofile. */
function keptUlimits({ Ulimits }: HostConfig): NonNullable<HostConfig['Ulimits']> {
  return (Ulimits ?? []).map((limit) => ({
    ...limit,
    Name: (limit.Name ?? '').replace(/^RLIMIT_/, '').toLowerCase(),
  }))
}

function keptMounts(info: ContainerInspectInfo): MountSettings[] {
  const asked = info.HostConfig.Mounts ?? []
  const attached = info.Mounts.filter(({ Type }) => Type === 'volume')
  const named = asked.map((mount) => {
    const found =
      mount.Type === 'volume' && !mount.Source
        ? attached.find(({ Destination }) => Destination === mount.Target)
        : undefined
    return found?.Name === undefined ? mount : { ...mount, Source: found.Name }
  })
  const targets = new Set(asked.map(({ Target }) => Target))
  const declared = attached.flatMap(({ Name, Destination, RW }) =>
    Name === undefined || targets.has(Destination) || boundByName(info, Destination)
      ? []
      : [{ Type: 'volume' as const, Source: Name, Target: Destination, ReadOnly: !RW }],
  )
  return [...named, ...declared]
}

function boundByName(info: ContainerInspectInfo, destination: string): boolean {
  return (info.HostConfig.Binds ?? []).some((bind) => bind.split(':')[1] === destination)
}
