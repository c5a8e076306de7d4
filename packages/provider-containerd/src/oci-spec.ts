import { HolmError } from '@holm/core'
import type { EnvironmentSpec, Mount } from '@holm/core'
import type { ImageConfig } from './image-config.ts'
import { mergeEnv } from './image-config.ts'
import type { Device, Machine } from './machine.ts'
import type { ContainerdOptions } from './options.ts'
import { linuxResources } from './resources.ts'
import type { LinuxResources } from './resources.ts'
import { capabilitiesOf, noNewPrivileges, seccompOf } from './security.ts'
import type { Seccomp } from './security.ts'

/**
 * Stays up, ends at once at SIGTERM, and reaps what its shell waits for. Only /bin/sh and sleep are needed, and the number
 * is one that every sleep takes (old busybox knows no "infinity").
 */
const holdCommand: readonly string[] = [
  '/bin/sh',
  '-c',
  "trap 'exit 0' TERM INT; while :; do sleep 2147483647 & wait $!; done",
]

/** Where a program that reaps zombies is shown; /dev is a tmpfs of the environment's own. */
const initTarget = '/dev/holm-init'

export interface OciMount {
  readonly destination: string
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

export interface OciProcess {
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: readonly string[]
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids?: readonly number[] }
  readonly terminal?: boolean
  readonly consoleSize?: { readonly width: number; readonly height: number }
  readonly noNewPrivileges: boolean
  readonly capabilities: Readonly<
    Record<'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient', readonly string[]>
  >
  readonly rlimits?: readonly { readonly type: string; readonly soft: number; readonly hard: number }[]
}

export interface OciSpec {
  readonly ociVersion: string
  readonly process: OciProcess
  readonly root: { readonly path: string; readonly readonly: boolean }
  readonly hostname: string
  readonly mounts: readonly OciMount[]
  readonly linux: {
    readonly cgroupsPath: string
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[]
    readonly resources: LinuxResources
    readonly devices: readonly object[]
    readonly maskedPaths: readonly string[]
    readonly readonlyPaths: readonly string[]
    readonly sysctl: Readonly<Record<string, string>>
    readonly rootfsPropagation: string
    readonly seccomp?: Seccomp
  }
}

export interface OciInput {
  readonly spec: EnvironmentSpec
  readonly image: ImageConfig
  readonly machine: Machine
  readonly options: ContainerdOptions
  readonly cgroupsPath: string
  /** Folder with the environment's hosts, hostname and resolv.conf. */
  readonly etc: string
  /** Folder of each volume, by its target. */
  readonly volumes: ReadonlyMap<string, string>
  readonly devices: readonly Device[]
  /** Ids of the user of the main process. */
  readonly user: OciProcess['user']
}

/** Pure: the whole OCI configuration. containerd adds nothing to it. */
export function ociSpec(input: OciInput): OciSpec {
  const { spec, machine, options, devices } = input
  const { privileged } = spec.security
  const seccomp = seccompOf(spec.security)
  const ownNetwork = spec.network !== 'host'
  return {
    ociVersion: '1.0.2',
    process: mainProcess(input),
    root: { path: 'rootfs', readonly: options.readOnlyRoot ?? false },
    hostname: spec.hostname,
    mounts: [...systemMounts(input), ...etcMounts(input.etc), ...initMounts(input), ...ownMounts(input)],
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
        ...(ownNetwork ? [{ type: 'network' }] : []),
        ...(machine.cgroup === 2 ? [{ type: 'cgroup' }] : []),
      ],
      resources: linuxResources({ resources: spec.resources, machine, devices, privileged }),
      devices: devices.map((device) => ({ ...device, fileMode: 0o660, uid: 0, gid: 0 })),
      maskedPaths: privileged ? [] : maskedPaths,
      readonlyPaths: privileged ? [] : readonlyPaths,
      sysctl: {
        ...(ownNetwork && { 'net.ipv4.ip_unprivileged_port_start': '0' }),
        ...options.sysctls,
      },
      rootfsPropagation: 'rprivate',
      ...(seccomp && { seccomp }),
    },
  }
}

function mainProcess(input: OciInput): OciProcess {
  const { spec, image, options } = input
  const hold = spec.main === 'hold'
  return {
    args: mainArgs(input),
    cwd: hold ? '/' : (spec.exec.workdir ?? (image.workdir || '/')),
    env: mergeEnv(image.env, { HOSTNAME: spec.hostname, ...spec.env }),
    ...privilegesOf(input, input.user),
    ...(options.ulimits && { rlimits: rlimitsOf(options.ulimits) }),
  }
}

/** Who a program is and what it may. Another user than root gets no capability in effect, as with docker. */
export function privilegesOf(
  { spec, machine }: Pick<OciInput, 'spec' | 'machine'>,
  user: OciProcess['user'],
): Pick<OciProcess, 'user' | 'capabilities' | 'noNewPrivileges'> {
  const granted = capabilitiesOf(spec.security, machine.capabilities)
  return { noNewPrivileges: noNewPrivileges(spec.security), ...withUser(granted, user) }
}

/** Pure: the same bounding set for everybody, in effect only for root. */
export function withUser(
  granted: readonly string[],
  user: OciProcess['user'],
): Pick<OciProcess, 'user' | 'capabilities'> {
  const effective = user.uid === 0 ? granted : []
  return {
    user,
    capabilities: { bounding: granted, effective, permitted: effective, inheritable: [], ambient: [] },
  }
}

function mainArgs({ spec, image, machine }: OciInput): readonly string[] {
  const argv = spec.main === 'hold' ? holdCommand : [...image.entrypoint, ...image.cmd]
  if (argv.length === 0) {
    throw new HolmError(
      'HOLM_BLUEPRINT_INVALID',
      `the base of "${spec.name}" declares no program to run as its main process`,
      {
        hint: 'Leave `main: base` out of the blueprint.',
      },
    )
  }
  return spec.init && machine.init !== undefined ? [initTarget, '--', ...argv] : argv
}

function initMounts({ spec, machine }: OciInput): readonly OciMount[] {
  if (!spec.init || machine.init === undefined) return []
  return [bind(machine.init, initTarget, true)]
}

/** The files that docker writes, too; each is a file of its own, so that a program inside can change it in place. */
function etcMounts(etc: string): readonly OciMount[] {
  return ['hosts', 'hostname', 'resolv.conf'].map((name) => bind(`${etc}/${name}`, `/etc/${name}`, false))
}

function ownMounts({ spec, volumes }: OciInput): readonly OciMount[] {
  return spec.mounts.map((mount) => ownMount(mount, volumes))
}

function ownMount(mount: Mount, volumes: ReadonlyMap<string, string>): OciMount {
  if (mount.type === 'bind') return bind(mount.source, mount.target, mount.readonly)
  if (mount.type === 'volume') return bind(volumes.get(mount.target) ?? '', mount.target, mount.readonly)
  // Programs may be run in it: a build in a tmpfs runs what it made.
  const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`]
  return {
    destination: mount.target,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'mode=1777', ...size],
  }
}

function bind(source: string, destination: string, readonly: boolean): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', readonly ? 'ro' : 'rw', 'rprivate'] }
}

function systemMounts({ spec, options }: OciInput): readonly OciMount[] {
  const mode = spec.security.privileged ? 'rw' : 'ro'
  const system = (destination: string, type: string, ...words: string[]): OciMount => ({
    destination,
    type,
    source: type,
    options: words,
  })
  return [
    system('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
    system('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
    system('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
    system(
      '/dev/shm',
      'tmpfs',
      'nosuid',
      'noexec',
      'nodev',
      'mode=1777',
      `size=${options.shmSize ?? 64 << 20}`,
    ),
    system('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
    system('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', mode),
    system('/sys/fs/cgroup', 'cgroup', 'nosuid', 'noexec', 'nodev', 'relatime', mode),
  ]
}

function rlimitsOf(ulimits: NonNullable<ContainerdOptions['ulimits']>): NonNullable<OciProcess['rlimits']> {
  return Object.entries(ulimits).map(([name, limit]) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    ...(typeof limit === 'number' ? { soft: limit, hard: limit } : limit),
  }))
}

/** Files of the kernel that tell of or change the machine; the runtime's usual list. */
const maskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]

const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]
