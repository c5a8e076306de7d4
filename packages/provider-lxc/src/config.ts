import path from 'node:path'
import { idMapLines } from './id-map.ts'
import type { CgroupValue } from './cgroup.ts'
import { escapeField, quote } from './quote.ts'
import type { LxcRecord } from './record.ts'
import { isUnconfined, securityLines } from './security.ts'

/** One mount of the container, with everything looked up: what it is, and where its target really lies inside. */
export interface MountEntry {
  readonly source: string
  readonly target: string
  readonly kind: 'bind' | 'tmpfs'
  readonly file: boolean
  readonly readonly: boolean
  readonly sizeBytes?: number
}

export type NetworkSetting =
  | { readonly kind: 'none' }
  | { readonly kind: 'host' }
  | {
      readonly kind: 'bridge'
      readonly bridge: string
      readonly address: string
      readonly prefix: number
      readonly gateway: string
    }

export interface DeviceNode {
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
}

export interface ConfigInput {
  readonly record: LxcRecord
  /** Folder of the environment. */
  readonly folder: string
  readonly network: NetworkSetting
  readonly mounts: readonly MountEntry[]
  readonly devices: readonly DeviceNode[]
  readonly limits: readonly CgroupValue[]
  /** Version of control groups that can keep devices away; undefined: none here, or not for this user. */
  readonly deviceGroups: 1 | 2 | undefined
  /** LXC's own list of refused system calls, where it is installed. */
  readonly seccompProfile: string | undefined
  readonly appArmor: boolean
}

/** LXC's configuration of one container. Pure; the order of mounts is the order in which they are made. */
export function buildConfig(input: ConfigInput): string {
  const { record, folder } = input
  const lines = [
    `lxc.uts.name = ${record.hostname}`,
    ...rootLines(record, folder),
    ...idMapLines(record.idMap),
    ...networkLines(input.network),
    'lxc.autodev = 1',
    'lxc.tty.max = 0',
    'lxc.pty.max = 1024',
    `lxc.console.logfile = ${path.join(folder, 'console.log')}`,
    `lxc.mount.auto = ${automaticMounts(input)}`,
    ...protectionLines(input),
    ...input.mounts.map((mount) => mountLine(mount)),
    ...input.devices.map(
      ({ path }) =>
        `lxc.mount.entry = ${escapeField(path)} ${escapeField(path.slice(1))} none bind,create=file 0 0`,
    ),
    ...deviceLines(input),
    ...input.limits.map(
      ({ version, file, value }) => `lxc.cgroup${version === 2 ? '2' : ''}.${file} = ${value}`,
    ),
    ...(record.main === 'base' ? environmentLines(record.env) : []),
    ...(record.options.config ?? []),
  ]
  return `${lines.join('\n')}\n`
}

/**
 * LXC can mount an overlay itself, which is a little quicker: but it takes only paths that need no quoting, one layer, and root.
 * Otherwise a script does it, where the container's mounts belong.
 */
function rootLines(record: LxcRecord, folder: string): string[] {
  const [only = '', ...others] = record.layers
  if (record.layering === 'copy') return [`lxc.rootfs.path = dir:${path.join(folder, 'root')}`]
  if (others.length === 0 && record.idMap === undefined && [only, folder].every(isPlain))
    return [`lxc.rootfs.path = overlay:${only}:${path.join(folder, 'upper')}`]
  const words = [path.join(folder, 'mount-root'), folder].map((word) => quote(word))
  return [
    `lxc.rootfs.path = dir:${path.join(folder, 'root')}`,
    `lxc.hook.pre-mount = /bin/sh ${words.join(' ')}`,
  ]
}

function isPlain(file: string): boolean {
  return /^[\w./-]+$/.test(file)
}

function networkLines(network: NetworkSetting): string[] {
  if (network.kind === 'host') return ['lxc.net.0.type = none']
  if (network.kind === 'none') return ['lxc.net.0.type = empty']
  return [
    'lxc.net.0.type = veth',
    `lxc.net.0.link = ${network.bridge}`,
    'lxc.net.0.flags = up',
    'lxc.net.0.name = eth0',
    `lxc.net.0.ipv4.address = ${network.address}/${network.prefix}`,
    `lxc.net.0.ipv4.gateway = ${network.gateway}`,
  ]
}

function automaticMounts({ record, network }: ConfigInput): string {
  const { privileged } = record.security
  const words = [
    privileged ? 'proc:rw' : 'proc:mixed',
    // A user namespace may show the devices of its own network only.
    ...(record.idMap && network.kind === 'host' ? [] : [`sys:${privileged ? 'rw' : 'ro'}`]),
  ]
  // An init system keeps its services in groups of its own; nothing else inside needs to see any.
  if (record.main === 'base')
    return [...words.filter((word) => !word.startsWith('sys:ro')), 'sys:mixed', 'cgroup:mixed'].join(' ')
  return [...words, ...(privileged ? ['cgroup:rw'] : [])].join(' ')
}

/** What a container engine hides of the kernel. */
const hiddenFiles = ['proc/kcore', 'proc/keys', 'proc/timer_list', 'proc/latency_stats', 'proc/sched_debug']
const hiddenFolders = ['proc/acpi', 'proc/scsi', 'sys/firmware', 'sys/devices/virtual/powercap']

export function hiddenLines(): string[] {
  return [
    ...hiddenFiles.map((file) => `lxc.mount.entry = /dev/null ${file} none bind,optional 0 0`),
    ...hiddenFolders.map((folder) => `lxc.mount.entry = tmpfs ${folder} tmpfs ro,size=4k,optional 0 0`),
  ]
}

function protectionLines(input: ConfigInput): string[] {
  const { record, seccompProfile, appArmor } = input
  const { security, options } = record
  const ownInit = record.main === 'base'
  const refused =
    seccompProfile !== undefined && options.seccomp !== false && !isUnconfined(security, 'seccomp')
  return [
    ...securityLines({ security, ownInit, userNamespace: record.idMap !== undefined }),
    ...(refused ? [`lxc.seccomp.profile = ${seccompProfile}`] : []),
    ...(appArmor && isUnconfined(security, 'apparmor') ? ['lxc.apparmor.profile = unconfined'] : []),
    ...(security.privileged ? [] : hiddenLines()),
    `lxc.mount.entry = tmpfs dev/shm tmpfs rw,nosuid,nodev,mode=1777,size=${options.shmSize ?? 67_108_864},create=dir 0 0`,
    'lxc.mount.entry = mqueue dev/mqueue mqueue rw,nosuid,nodev,noexec,create=dir,optional 0 0',
  ]
}

function mountLine(mount: MountEntry): string {
  const target = escapeField(mount.target.replace(/^\/+/, ''))
  if (mount.kind === 'tmpfs') {
    const size = mount.sizeBytes === undefined ? '' : `,size=${mount.sizeBytes}`
    return `lxc.mount.entry = tmpfs ${target} tmpfs rw,nosuid,nodev,mode=1777${size},create=dir 0 0`
  }
  const options = ['rbind', ...(mount.readonly ? ['ro'] : []), `create=${mount.file ? 'file' : 'dir'}`]
  return `lxc.mount.entry = ${escapeField(mount.source)} ${target} none ${options.join(',')} 0 0`
}

/** null, full, zero, random, urandom, tty, console, ptmx and terminals: what every program may expect. */
const plainDevices = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:1', '5:2', '136:*']

function deviceLines({ record, devices, deviceGroups }: ConfigInput): string[] {
  if (deviceGroups === undefined || record.security.privileged) return []
  const key = `lxc.cgroup${deviceGroups === 2 ? '2' : ''}.devices`
  return [
    `${key}.deny = a`,
    // Package managers make nodes; nobody can open them.
    `${key}.allow = c *:* m`,
    `${key}.allow = b *:* m`,
    ...plainDevices.map((numbers) => `${key}.allow = c ${numbers} rwm`),
    ...devices.map(({ type, major, minor }) => `${key}.allow = ${type} ${major}:${minor} rwm`),
  ]
}

/** PID 1's own variables. One line each: LXC has no way to write a value with a line break. */
function environmentLines(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env)
    .filter(([, value]) => !value.includes('\n'))
    .map(([name, value]) => `lxc.environment = ${name}=${value}`)
}
