import type { Security } from '@holm/core'

/** What root may do inside by default; all else is dropped, so that no new capability is ever granted by accident. */
export const defaultCapabilities: readonly string[] = [
  'chown', // apt, dpkg: owners of unpacked files
  'dac_override', // root reads and writes files of other users
  'fowner', // package scripts change modes of files they do not own
  'fsetid', // setuid bits survive unpacking
  'kill', // a supervisor stops services of other users
  'setgid', // su, apt's own unprivileged user
  'setuid', // the same
  'setfcap', // some packages give files capabilities
  'net_bind_service', // servers on ports below 1024
  'sys_chroot', // sshd's privilege separation
  'audit_write', // pam of su and sudo
]

/** What LXC itself takes from a container with an init system of its own: mounting and the like are that system's work. */
const droppedFromInit: readonly string[] = [
  'mac_admin',
  'mac_override',
  'sys_time',
  'sys_module',
  'sys_rawio',
]

export interface SecurityInput {
  readonly security: Security
  /** Does the base's own init system run? */
  readonly ownInit: boolean
  /** In a user namespace root has no power over this machine: an own init may keep all of its capabilities. */
  readonly userNamespace: boolean
}

/** Lines of the configuration for capabilities and new privileges. */
export function securityLines({ security, ownInit, userNamespace }: SecurityInput): string[] {
  return [
    ...capabilityLines({ security, ownInit, userNamespace }),
    `lxc.no_new_privs = ${security.privileged || mayGainPrivileges(security) ? 0 : 1}`,
  ]
}

function capabilityLines({ security, ownInit, userNamespace }: SecurityInput): string[] {
  const dropped = security.capDrop.map(capability)
  const added = security.capAdd.map(capability)
  if (security.privileged || ownInit || added.includes('all')) {
    const base = security.privileged || userNamespace || added.includes('all') ? [] : droppedFromInit
    const drop = [...new Set([...base, ...dropped])].filter((name) => name !== 'all' && !added.includes(name))
    return drop.length > 0 ? [`lxc.cap.drop = ${drop.join(' ')}`] : []
  }
  const kept = dropped.includes('all') ? [] : defaultCapabilities.filter((name) => !dropped.includes(name))
  const all = [...new Set([...kept, ...added])]
  return [`lxc.cap.keep = ${all.length > 0 ? all.join(' ') : 'none'}`]
}

/** The words of docker's securityOpt, which blueprints know. */
export function mayGainPrivileges({ securityOpt }: Security): boolean {
  return securityOpt.some((option) => /^no-new-privileges[:=]false$/.test(option))
}

export function isUnconfined({ securityOpt, privileged }: Security, what: 'seccomp' | 'apparmor'): boolean {
  return privileged || securityOpt.some((option) => new RegExp(`^${what}[:=]unconfined$`).test(option))
}

function capability(name: string): string {
  return name.toLowerCase().replace(/^cap_/, '')
}
