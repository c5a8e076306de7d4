import type { EnvironmentInfo } from '../../host-api.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { EnvironmentRecord } from '../state/index.ts'

/** The runtime's truth joined with what holm recorded. */
export function infoOf(state: EnvironmentState, record: EnvironmentRecord): EnvironmentInfo {
  const { spec } = record.details
  return {
    name: record.name,
    provider: record.provider,
    status: state.status,
    blueprint: record.details.blueprint,
    source: record.source,
    project: record.project,
    createdAt: state.createdAt ?? record.createdAt,
    startedAt: state.startedAt,
    reason: state.reason,
    ports: state.ports,
    address: state.address,
    limits: state.limits,
    user: record.details.user,
    workdir: record.details.workdir,
    mounts: spec?.mounts ?? [],
    services: spec?.services ?? [],
    ...(record.details.partOf && { partOf: record.details.partOf }),
    looser: spec === undefined ? [] : looserThanDefault(spec),
  }
}

/** Everything in the spec that is looser than a provider's safe defaults, one sentence each (design, section 8). */
export function looserThanDefault(spec: EnvironmentSpec): string[] {
  const { security, ports, network, mounts } = spec
  return [
    ...(security.privileged ? ['runs privileged: it can take over this machine'] : []),
    ...(spec.nestedDocker
      ? ['runs a Docker engine of its own: where that is no virtual machine, it can take over this machine']
      : []),
    ...security.capAdd.map((name) => `has the capability ${name}`),
    ...security.securityOpt.map((option) => `runs with the security option ${option}`),
    ...security.devices.map((device) => `can use the device ${device}`),
    ...(network === 'host' ? ['shares the network of this machine'] : []),
    ...ports
      .filter((port) => !isLoopback(port.hostIp))
      .map((port) => `publishes port ${port.container} on ${port.hostIp}`),
    ...mounts.flatMap((mount) =>
      mount.type === 'bind' && /(?:docker|containerd|podman)\.sock$/.test(mount.source)
        ? [`has the engine socket ${mount.source}`]
        : [],
    ),
  ]
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address === 'localhost'
}
