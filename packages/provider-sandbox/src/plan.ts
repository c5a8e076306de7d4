import path from 'node:path'
import type { Mount } from '@holm/core'
import type { SandboxRecord } from './record.ts'
import { terminalsOf } from './terminal.ts'
import { volumeSource } from './volumes.ts'

/** One step of building the root that programs see. Targets are absolute paths inside. */
export type Operation =
  | { readonly op: 'root'; readonly source: string }
  | {
      readonly op: 'bind'
      readonly source: string
      readonly target: string
      readonly readonly: boolean
      readonly device?: boolean
    }
  | {
      readonly op: 'tmpfs'
      readonly target: string
      readonly mode: string
      readonly sizeBytes?: number
      readonly readonly?: boolean
    }
  | { readonly op: 'symlink'; readonly to: string; readonly target: string }
  | { readonly op: 'directory'; readonly target: string }
  | { readonly op: 'proc' }
  | { readonly op: 'dev' }
  | { readonly op: 'seal' }

/** How one builder does each kind of step. */
export type Renderer = {
  readonly [Name in Operation['op']]: (step: Extract<Operation, { op: Name }>) => string[]
}

/** The words or lines of one step. */
export function render(renderer: Renderer, step: Operation): string[] {
  return (renderer[step.op] as (step: Operation) => string[])(step)
}

/** What the plan has to know of this machine. */
export interface Machine {
  /** Entries of `/`, with the target of links. */
  readonly top: readonly { readonly name: string; readonly link?: string }[]
  /** Those of the paths in question that exist, as files or folders. */
  readonly kinds: ReadonlyMap<string, 'file' | 'directory'>
  /** Where /etc/resolv.conf really is, when it lies outside of /etc. */
  readonly resolver: string | undefined
}

export interface PlanPaths {
  /** Folder of the environment. */
  readonly folder: string
  readonly volumes: string
  /** holm's own data, which nothing inside may see. */
  readonly data: string
  /** A target's real place inside, links followed. */
  readonly place: (target: string) => string
}

/** Shown of this machine with base `host`. A list of what is allowed: what is unknown is not shown. */
const shownTop = new Set([
  'usr',
  'bin',
  'sbin',
  'lib',
  'lib32',
  'lib64',
  'libx32',
  'etc',
  'opt',
  'nix',
  'gnu',
  'snap',
])
const shownBelow = ['/var/lib/dpkg', '/var/lib/rpm', '/var/lib/pacman', '/var/lib/ca-certificates']

/** Secrets below what is shown. Root could read them; an ordinary user could not anyway. */
const maskedHost = [
  '/etc/shadow',
  '/etc/shadow-',
  '/etc/gshadow',
  '/etc/gshadow-',
  '/etc/sudoers',
  '/etc/sudoers.d',
  '/etc/security/opasswd',
  '/etc/ssh',
  '/etc/ssl/private',
  '/etc/pki/tls/private',
  '/etc/letsencrypt',
  '/etc/NetworkManager/system-connections',
  '/etc/netplan',
  '/etc/wireguard',
  '/etc/openvpn',
  '/etc/ipsec.secrets',
  '/etc/ipsec.d',
  '/etc/krb5.keytab',
  '/etc/docker',
  '/etc/containerd',
  '/etc/kubernetes',
  '/etc/rancher',
  '/etc/ppp',
  '/etc/credstore',
  '/etc/credstore.encrypted',
  '/etc/fstab',
  '/etc/crypttab',
  '/etc/msmtprc',
  '/etc/postgresql',
  '/etc/mysql/debian.cnf',
]

/** With the numeric id 0 some of these can be written without any capability: core_pattern starts programs as root. */
const readonlyProc = ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/proc/fs']
const maskedKernel = [
  '/proc/kcore',
  '/proc/keys',
  '/proc/timer_list',
  '/proc/sched_debug',
  '/proc/latency_stats',
  '/proc/acpi',
  '/proc/scsi',
  '/proc/asound',
  '/proc/interrupts',
  '/sys/firmware',
  '/sys/fs/cgroup',
  '/sys/fs/bpf',
  '/sys/fs/pstore',
  '/sys/kernel/debug',
  '/sys/kernel/tracing',
  '/sys/kernel/security',
  '/sys/kernel/config',
  '/sys/devices/virtual/powercap',
]

/** Paths whose kind `loadMachine` has to find out. */
export const questionedPaths: readonly string[] = [
  ...shownBelow,
  ...maskedHost,
  ...readonlyProc,
  ...maskedKernel,
  '/sys',
  '/etc/hosts',
]

/** All steps, in order: later ones lie on top of earlier ones. */
export function planRoot(record: SandboxRecord, machine: Machine, paths: PlanPaths): Operation[] {
  const base = record.base.kind === 'host' ? planHost(record, machine, paths) : planLayer(paths)
  const mounts = record.mounts.flatMap((mount, index) => planMount(mount, index, paths))
  return [
    ...base,
    ...planKernel(machine, paths),
    // Folders on the way are made by the builder, for itself alone, unless they are named.
    ...(record.base.kind === 'host' ? openParents(mounts) : []),
    ...mounts,
    ...record.security.devices.map(planDevice),
    {
      op: 'bind',
      source: path.join(paths.folder, 'log'),
      target: path.posix.join(paths.place('/run'), 'holm.log'),
      readonly: false,
    },
    ...planHiding(record.mounts, paths),
    ...(record.base.kind === 'host' ? [{ op: 'seal' } as const] : []),
  ]
}

function planHost(record: SandboxRecord, machine: Machine, paths: PlanPaths): Operation[] {
  const own = (name: string, target: string): Operation => ({
    op: 'bind',
    source: path.join(paths.folder, name),
    target,
    readonly: false,
  })
  const steps: Operation[] = [
    ...machine.top
      .filter(({ name }) => shownTop.has(name))
      .map(({ name, link }): Operation =>
        link === undefined
          ? { op: 'bind', source: `/${name}`, target: `/${name}`, readonly: true }
          : { op: 'symlink', to: link, target: `/${name}` },
      ),
    ...shownBelow
      .filter((target) => machine.kinds.get(target) === 'directory')
      .map((target): Operation => ({ op: 'bind', source: target, target, readonly: true })),
    ...mask(maskedHost, machine),
    { op: 'tmpfs', target: '/run', mode: '0755' },
    { op: 'symlink', to: '/run', target: '/var/run' },
    ...(machine.resolver === undefined
      ? []
      : [{ op: 'bind', source: machine.resolver, target: machine.resolver, readonly: true } as const]),
    ...(machine.kinds.get('/etc/hosts') === 'file'
      ? [
          {
            op: 'bind',
            source: path.join(paths.folder, 'hosts'),
            target: '/etc/hosts',
            readonly: true,
          } as const,
        ]
      : []),
    own('tmp', '/tmp'),
    own('var-tmp', '/var/tmp'),
    own('home', record.caller.home),
  ]
  return [...openParents(steps), ...steps]
}

/** Folders above the targets that nothing else provides, top first. */
function openParents(steps: readonly Operation[]): Operation[] {
  const targets = new Set(steps.flatMap((step) => ('target' in step ? [step.target] : [])))
  const parents = new Set([...targets].flatMap(parentsOf))
  return [...parents]
    .filter((parent) => !shownTop.has(parent.split('/')[1] ?? '') && !targets.has(parent))
    .toSorted((one, other) => one.length - other.length)
    .map((target) => ({ op: 'directory', target }))
}

function parentsOf(target: string): string[] {
  const parts = target.split('/').slice(1, -1)
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)
}

function planLayer(paths: PlanPaths): Operation[] {
  return [
    { op: 'root', source: path.join(paths.folder, 'root') },
    { op: 'tmpfs', target: paths.place('/run'), mode: '0755' },
  ]
}

function planKernel(machine: Machine, { folder }: PlanPaths): Operation[] {
  return [
    { op: 'proc' },
    ...readonlyProc
      .filter((target) => machine.kinds.has(target))
      .map((target): Operation => ({ op: 'bind', source: target, target, readonly: true })),
    ...(machine.kinds.has('/sys')
      ? [{ op: 'bind', source: '/sys', target: '/sys', readonly: true } as const]
      : []),
    ...mask(maskedKernel, machine),
    { op: 'dev' },
    { op: 'bind', source: terminalsOf(folder), target: '/dev/pts', readonly: false, device: true },
  ]
}

function mask(targets: readonly string[], machine: Machine): Operation[] {
  return targets.flatMap((target): Operation[] => {
    const kind = machine.kinds.get(target)
    if (kind === 'file') return [{ op: 'bind', source: '/dev/null', target, readonly: true, device: true }]
    return kind === 'directory' ? [{ op: 'tmpfs', target, mode: '0755', readonly: true }] : []
  })
}

function planMount(mount: Mount, index: number, paths: PlanPaths): Operation[] {
  const target = paths.place(mount.target)
  if (mount.type === 'tmpfs') {
    const size = mount.sizeBytes === undefined ? {} : { sizeBytes: mount.sizeBytes }
    return [{ op: 'tmpfs', target, mode: '1777', ...size }]
  }
  const source = mount.type === 'bind' ? mount.source : volumeSource(mount.source, index, paths)
  return [{ op: 'bind', source, target, readonly: mount.readonly }]
}

function planDevice(device: string): Operation {
  return { op: 'bind', source: device, target: device, readonly: false, device: true }
}

/** holm's own folder can lie below something that is shown: /opt, or the user's home mounted as a project. */
function planHiding(mounts: readonly Mount[], paths: PlanPaths): Operation[] {
  const shown = [
    ...[...shownTop].map((name) => ({ source: `/${name}`, target: `/${name}` })),
    ...mounts.flatMap((mount) =>
      mount.type === 'bind' ? [{ source: mount.source, target: paths.place(mount.target) }] : [],
    ),
  ]
  return shown.flatMap(({ source, target }): Operation[] => {
    const relative = path.relative(source, paths.data)
    if (relative.startsWith('..') || path.isAbsolute(relative)) return []
    return [{ op: 'tmpfs', target: path.join(target, relative), mode: '0755', readonly: true }]
  })
}
