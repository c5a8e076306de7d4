import { HolmError } from '@holm/core'
import type { EnvironmentSpec, LimitName, Mount, PortRequest, VolumeMount } from '@holm/core'
import type { ContainerCreateOptions, HostConfig, MountSettings } from 'dockerode'
import { containerName, label, volumeName } from './names.ts'
import { optionsSchema } from './options.ts'
import type { DockerOptions } from './options.ts'
import { nestedConfig, securityConfig } from './security.ts'

/** Enough for compilers and editors, low enough to stop a fork bomb. */
export const defaultPids = 4096

/**
 * Stays up, ends at once at SIGTERM, and reaps nothing but its own child: `init` is for that. Only /bin/sh and sleep are
 * needed, and the number is one that every sleep takes (old busybox knows no "infinity").
 */
export const holdCommand: readonly string[] = [
  '/bin/sh',
  '-c',
  "trap 'exit 0' TERM INT; while :; do sleep 2147483647 & wait $!; done",
]

export interface ConfigInput {
  readonly spec: EnvironmentSpec
  readonly namespace: string
  /** Reference or id the engine knows. */
  readonly image: string
  /** Random per attempt, see `label.attempt`. */
  readonly attempt: string
  /** The caller's ids when the environment's user shall get them. */
  readonly callerIds?: { readonly uid: number; readonly gid: number } | undefined
  /** User that the image declares; matters only when the spec names none. */
  readonly imageUser?: string | undefined
  /** Name of the network in the engine, for a named one. */
  readonly network?: string | undefined
  /** Capabilities that nothing on the engine's machine has: they cannot be given to an engine inside. */
  readonly missingCapabilities?: readonly string[]
}

/** Pure: the spec as the engine wants it. HOLM_BLUEPRINT_INVALID for a `docker` section that does not fit. */
export function containerConfig(input: ConfigInput): ContainerCreateOptions & { platform?: string } {
  const { spec } = input
  const options = dockerOptions(spec)
  if (spec.nestedDocker && options.pid === 'host') {
    throw new HolmError(
      'HOLM_BLUEPRINT_INVALID',
      'providers.docker.pid: an engine inside needs processes of its own',
      {
        hint: 'Leave pid out, or docker.',
        details: { key: 'providers.docker.pid' },
      },
    )
  }
  return {
    name: containerName(input.namespace, spec.name),
    Image: input.image,
    ...(networkIsOwn(spec.network, options) && { Hostname: spec.hostname }),
    ...mainUser(spec),
    ...(spec.exec.workdir !== undefined && spec.main === 'base' && { WorkingDir: spec.exec.workdir }),
    Env: Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
    Labels: containerLabels(input),
    ...(spec.main === 'hold' && {
      Entrypoint: [...holdCommand],
      Cmd: [],
      StopSignal: 'SIGTERM',
      Healthcheck: { Test: ['NONE'] },
    }),
    ExposedPorts: Object.fromEntries(
      [...spec.ports.map(portKey), ...spec.expose.map((port) => `${port}/tcp`)].map((key) => [key, {}]),
    ),
    ...program(spec),
    HostConfig: hostConfig(input, options),
    ...networking(input, options),
    ...(options.macAddress && { MacAddress: options.macAddress }),
    ...(options.platform && { platform: options.platform }),
  }
}

/**
 * Our own main process is root's: where it is another user's, no-new-privileges leaves root no capability at all in later
 * execs, and nothing could be installed. Programs run as the wanted user all the same, which a label keeps.
 */
function mainUser(spec: EnvironmentSpec): { readonly User?: string } {
  if (spec.main === 'hold') return { User: '0' }
  return spec.user === undefined ? {} : { User: spec.user }
}

function hostConfig(input: ConfigInput, options: DockerOptions): HostConfig {
  const { spec } = input
  return {
    ...(spec.nestedDocker
      ? nestedConfig(spec.security, input.missingCapabilities ?? [])
      : securityConfig(spec.security)),
    ...resourceConfig(spec),
    ...optionConfig(options),
    Init: spec.init,
    NetworkMode: networkMode(spec.network, input.network),
    // A host network publishes nothing: the engine warns and ignores bindings.
    ...(spec.network !== 'host' && { PortBindings: portBindings(spec.ports) }),
    Mounts: spec.mounts.filter((mount) => mount.type !== 'tmpfs').map((mount) => mountSettings(mount, input)),
    Tmpfs: tmpfsConfig(spec.mounts),
    Devices: spec.security.devices.map((path) => ({
      PathOnHost: path,
      PathInContainer: path,
      CgroupPermissions: 'rwm',
    })),
    RestartPolicy: { Name: restartPolicies[spec.companion?.restart ?? 'no'] },
  }
}

/** `always` is the engine's `unless-stopped`: what holm stopped stays so when the engine comes back. */
const restartPolicies = { no: 'no', 'on-failure': 'on-failure', always: 'unless-stopped' } as const

/** An entrypoint of one's own comes without the image's arguments; an empty text is the engine's word for none. */
function program({ companion }: EnvironmentSpec): Pick<ContainerCreateOptions, 'Entrypoint' | 'Cmd'> {
  const { entrypoint, args } = companion ?? {}
  return {
    ...(entrypoint && { Entrypoint: entrypoint.length === 0 ? [''] : [...entrypoint] }),
    ...(args && { Cmd: [...args] }),
  }
}

function resourceConfig({ resources }: EnvironmentSpec): HostConfig {
  return {
    ...(resources.cpus !== undefined && { NanoCpus: Math.round(resources.cpus * 1e9) }),
    // Swap equal to memory: no swap on top, so that the limit is the limit.
    ...(resources.memoryBytes !== undefined && {
      Memory: resources.memoryBytes,
      MemorySwap: resources.memoryBytes,
    }),
    ...(resources.diskBytes !== undefined && { StorageOpt: { size: String(resources.diskBytes) } }),
    PidsLimit: resources.pids ?? defaultPids,
  }
}

function optionConfig(options: DockerOptions): HostConfig {
  return {
    ...(options.shmSize !== undefined && { ShmSize: options.shmSize }),
    ...(options.ulimits && { Ulimits: ulimits(options.ulimits) }),
    ...(options.extraHosts && {
      ExtraHosts: Object.entries(options.extraHosts).map(([host, address]) => `${host}:${address}`),
    }),
    ...(options.dns && { Dns: [...options.dns] }),
    ...(options.dnsSearch && { DnsSearch: [...options.dnsSearch] }),
    ...(options.gpus !== undefined && { DeviceRequests: [gpuRequest(options.gpus)] }),
    ...(options.runtime && { Runtime: options.runtime }),
    ...(options.readOnlyRoot !== undefined && { ReadonlyRootfs: options.readOnlyRoot }),
    ...(options.sysctls && { Sysctls: { ...options.sysctls } }),
    ...(options.groupAdd && { GroupAdd: [...options.groupAdd] }),
    ...namespaceConfig(options),
  }
}

function namespaceConfig(options: DockerOptions): HostConfig {
  return {
    ...(options.ipc && { IpcMode: options.ipc }),
    ...(options.pid && { PidMode: options.pid }),
    ...(options.userns && { UsernsMode: options.userns }),
    ...(options.cpusetCpus && { CpusetCpus: options.cpusetCpus }),
  }
}

function ulimits(
  limits: NonNullable<DockerOptions['ulimits']>,
): { Name: string; Soft: number; Hard: number }[] {
  return Object.entries(limits).map(([Name, limit]) =>
    typeof limit === 'number'
      ? { Name, Soft: limit, Hard: limit }
      : { Name, Soft: limit.soft, Hard: limit.hard },
  )
}

function gpuRequest(gpus: NonNullable<DockerOptions['gpus']>): {
  Count?: number
  DeviceIDs?: string[]
  Capabilities: string[][]
} {
  const Capabilities = [['gpu']]
  if (gpus === 'all') return { Count: -1, Capabilities }
  return typeof gpus === 'number' ? { Count: gpus, Capabilities } : { DeviceIDs: [...gpus], Capabilities }
}

function networkMode(wanted: string, resolved: string | undefined): string {
  if (resolved !== undefined) return resolved
  return wanted === 'default' ? 'default' : wanted
}

/** With another's network namespace the engine refuses a hostname of one's own. */
function networkIsOwn(network: string, _options: DockerOptions): boolean {
  return network !== 'host' && !network.startsWith('container:')
}

/** Only a named network knows other names. */
function networking(
  { spec, network }: ConfigInput,
  { networkAlias = [] }: DockerOptions,
): Pick<ContainerCreateOptions, 'NetworkingConfig'> {
  const names = [...new Set([...(spec.aliases ?? []), ...networkAlias])]
  if (network === undefined || names.length === 0) return {}
  return { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: names } } } }
}

function portKey(port: PortRequest): string {
  return `${port.container}/${port.protocol}`
}

function portBindings(ports: readonly PortRequest[]): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of ports) {
    const list = (bindings[portKey(port)] ??= [])
    list.push({ HostIp: port.hostIp, HostPort: port.host === undefined ? '' : String(port.host) })
  }
  return bindings
}

function mountSettings(mount: Exclude<Mount, { type: 'tmpfs' }>, input: ConfigInput): MountSettings {
  if (mount.type === 'bind')
    return { Type: 'bind', Source: mount.source, Target: mount.target, ReadOnly: mount.readonly }
  const settings = { Type: 'volume' as const, Source: '', Target: mount.target, ReadOnly: mount.readonly }
  const Labels = {
    ...volumeLabels(input),
    ...(mount.source !== undefined && { [label.name]: input.spec.name }),
    ...(input.spec.companion && { [label.owner]: input.spec.companion.of }),
  }
  return {
    ...settings,
    Source: volumeSource(mount, input),
    VolumeOptions: { NoCopy: false, Labels, DriverConfig: { Name: 'local', Options: {} } },
  }
}

function volumeSource(mount: VolumeMount, { namespace }: ConfigInput): string {
  return mount.source === undefined ? '' : volumeName(namespace, mount.source)
}

function volumeLabels({ spec, namespace, attempt }: ConfigInput): Record<string, string> {
  return { ...spec.labels, [label.namespace]: namespace, [label.attempt]: attempt }
}

function tmpfsConfig(mounts: readonly Mount[]): Record<string, string> {
  const entries = mounts.flatMap((mount) =>
    mount.type === 'tmpfs' ? [[mount.target, tmpfsOptions(mount.sizeBytes)] as const] : [],
  )
  return Object.fromEntries(entries)
}

/** `exec` because a build in a tmpfs runs what it made; the engine's default is noexec. */
function tmpfsOptions(sizeBytes: number | undefined): string {
  return ['rw', 'exec', 'nosuid', 'nodev', ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`])].join(
    ',',
  )
}

function containerLabels(input: ConfigInput): Record<string, string> {
  const { spec, callerIds } = input
  const defaultUser = spec.main === 'hold' ? (spec.user ?? input.imageUser ?? '') : ''
  const user = spec.exec.user ?? spec.user ?? defaultUser
  return {
    ...spec.labels,
    [label.namespace]: input.namespace,
    [label.name]: spec.name,
    [label.keys]: JSON.stringify(Object.keys(spec.labels)),
    [label.env]: JSON.stringify(Object.keys(spec.env)),
    [label.limits]: JSON.stringify(wantedLimits(spec)),
    [label.attempt]: input.attempt,
    ...(spec.companion && { [label.owner]: spec.companion.of }),
    ...(input.network !== undefined && { [label.network]: input.network }),
    // Empty values hide what an image made from another environment would hand down.
    [label.matchIds]: callerIds ? `${callerIds.uid}:${callerIds.gid}` : '',
    [label.matchUser]: callerIds ? user : '',
    [label.user]: defaultUser,
  }
}

/** Limits the container is created with, by name; `disk` may turn out to be unenforced. */
export function wantedLimits({ resources }: EnvironmentSpec): Partial<Record<LimitName, number>> {
  return {
    ...(resources.cpus !== undefined && { cpus: resources.cpus }),
    ...(resources.memoryBytes !== undefined && { memory: resources.memoryBytes }),
    ...(resources.diskBytes !== undefined && { disk: resources.diskBytes }),
    pids: resources.pids ?? defaultPids,
  }
}

export function dockerOptions(spec: EnvironmentSpec): DockerOptions {
  const result = optionsSchema['~standard'].validate(spec.options['docker'])
  if (result instanceof Promise)
    throw new HolmError('HOLM_BUG', 'the schema of the docker section is asynchronous')
  if (!result.issues) return result.value
  const [first] = result.issues
  const [key] = first?.path ?? []
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `providers.docker.${typeof key === 'string' ? key : ''}: ${first?.message ?? 'invalid'}`,
    {
      hint: 'Correct the docker section of the blueprint.',
    },
  )
}
