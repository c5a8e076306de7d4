import type { ContainerInspectInfo } from 'dockerode'

/**
 * The address of a running container, where its engine is on this very machine: behind a socket there may be another machine,
 * or a virtual one, and there the same address is somebody else's. A container is here when its main process is.
 */
export function addressHere(
  {
    Id: id,
    State: state,
    HostConfig: { NetworkMode: mode },
    NetworkSettings: settings,
  }: ContainerInspectInfo,
  readText: (path: string) => string | undefined,
): string | undefined {
  if (!state.Running || !readText(`/proc/${state.Pid}/cgroup`)?.includes(id)) return undefined
  if (mode === 'host') return '127.0.0.1'
  const addresses = Object.values(settings.Networks ?? {}).map(({ IPAddress: address }) => address)
  return addresses.find((address) => address !== '') || undefined
}
