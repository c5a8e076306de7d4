/** Pure readings of the texts under /proc and /sys. */

export interface Cgroups {
  readonly version: 1 | 2 | 'none'
  /** Controllers that can be found, with the folder that must be writable to use them. */
  readonly controllers: readonly { readonly name: string; readonly folder: string }[]
}

interface Mount {
  readonly target: string
  readonly type: string
  readonly options: readonly string[]
}

/** Lines of /proc/self/mountinfo. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ')
    const target = before?.split(' ')[4]
    const [type, , options = ''] = (after ?? '').split(' ')
    return target !== undefined && type !== undefined && type !== ''
      ? [{ target, type, options: options.split(',') }]
      : []
  })
}

const limiting = new Set(['cpu', 'memory', 'pids', 'io', 'blkio', 'cpuset', 'freezer', 'devices'])

/**
 * The hierarchy that limits resources here. Version 1 names its controllers in mount options; version 2 in
 * cgroup.controllers, and there an own group (/proc/self/cgroup) is where children are made.
 */
export function parseCgroups(mountinfo: string, own: string, controllers2: string): Cgroups {
  const mounts = parseMounts(mountinfo)
  const version1 = mounts
    .filter((mount) => mount.type === 'cgroup')
    .flatMap(({ target, options }) =>
      options.filter((name) => limiting.has(name)).map((name) => ({ name, folder: target })),
    )
  if (version1.length > 0) return { version: 1, controllers: version1 }
  const root = mounts.find((mount) => mount.type === 'cgroup2')?.target
  if (root === undefined) return { version: 'none', controllers: [] }
  const path = /^0::(\/.*)$/m.exec(own)?.[1] ?? '/'
  const folder = `${root}${path}`.replace(/\/$/, '')
  const names = controllers2
    .trim()
    .split(/\s+/)
    .filter((name) => limiting.has(name))
  return { version: 2, controllers: names.map((name) => ({ name, folder })) }
}

/** "32768\t60999" of ip_local_port_range. */
export function parsePortRange(text: string): readonly [number, number] | undefined {
  const found = /^\s*(\d+)\s+(\d+)\s*$/.exec(text)
  return found ? [Number(found[1]), Number(found[2])] : undefined
}

/** "8080,32800-34999" of ip_local_reserved_ports. */
export function parsePortList(text: string): readonly (readonly [number, number])[] {
  return text
    .trim()
    .split(',')
    .flatMap((part) => {
      const found = /^(\d+)(?:-(\d+))?$/.exec(part.trim())
      return found ? [[Number(found[1]), Number(found[2] ?? found[1])] as const] : []
    })
}

/** Can an outgoing connection take a port of `range`? True when the system hands them out and does not reserve them all. */
export function overlapsEphemeral(
  range: readonly [number, number],
  ephemeral: readonly [number, number],
  reserved: readonly (readonly [number, number])[],
): boolean {
  const start = Math.max(range[0], ephemeral[0])
  const end = Math.min(range[1], ephemeral[1])
  if (start > end) return false
  let free = start
  for (const [from, to] of reserved.toSorted((a, b) => a[0] - b[0]))
    if (from <= free && to >= free) free = to + 1
  return free <= end
}

/** Bytes of a field of /proc/meminfo. */
export function parseMeminfo(text: string, field: string): number | undefined {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found) * 1024
}

/** Is the file system in /proc/filesystems? */
export function hasFilesystem(text: string, name: string): boolean {
  return text.split('\n').some((line) => line.trim().split(/\s+/).at(-1) === name)
}

/** Does /proc/cpuinfo show hardware virtualisation? Undefined where it would not show it (no x86). */
export function hasVirtualisation(cpuinfo: string): boolean | undefined {
  return /^flags\s*:/m.test(cpuinfo) ? /\b(?:vmx|svm)\b/.test(cpuinfo) : undefined
}

export interface UserNamespaces {
  /** user.max_user_namespaces */
  readonly max: string | undefined
  /** kernel.unprivileged_userns_clone: Debian and Arch. */
  readonly clone: string | undefined
  /** kernel.apparmor_restrict_unprivileged_userns: Ubuntu. */
  readonly apparmor: string | undefined
}

/** What forbids user namespaces to a normal user, as the setting that would permit them; undefined when nothing does. */
export function userNamespaceFix({ max, clone, apparmor }: UserNamespaces): string | undefined {
  if (max === undefined || max.trim() === '0') return 'user.max_user_namespaces=15000'
  if (clone?.trim() === '0') return 'kernel.unprivileged_userns_clone=1'
  return apparmor?.trim() === '1' ? 'kernel.apparmor_restrict_unprivileged_userns=0' : undefined
}

/** "1.5 GB" for people, decimal. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const index = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  return `${(bytes / 1000 ** index).toFixed(index > 1 ? 1 : 0)} ${units[index]}`
}
