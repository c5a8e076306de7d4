import type { Security } from '@holm/core'

/**
 * What root may do inside by default. All else is dropped, so that a new kernel capability is never granted by accident.
 * Against the engine's own default set NET_RAW (spoofing on the shared bridge; ping works without it), MKNOD and SETPCAP are missing.
 */
export const defaultCapabilities: readonly string[] = [
  'CHOWN', // apt, dpkg, rpm: owners of unpacked files
  'DAC_OVERRIDE', // root reads and writes files of the environment's user
  'FOWNER', // package scripts change modes of files they do not own
  'FSETID', // setuid and setgid bits survive unpacking
  'KILL', // a supervisor running as root stops services of other users
  'SETGID', // su, sshd, apt's own unprivileged user
  'SETUID', // the same
  'SETFCAP', // rpm and some Debian packages give files capabilities, and fail when they cannot
  'NET_BIND_SERVICE', // servers on ports below 1024
  'SYS_CHROOT', // sshd's privilege separation
  'AUDIT_WRITE', // pam of su, sudo and sshd on kernels with audit
]

export interface SecurityConfig {
  readonly Privileged: boolean
  readonly CapAdd?: string[]
  readonly CapDrop?: string[]
  readonly SecurityOpt?: string[]
}

/** Privileged is what it says: nothing is dropped then, for the blueprint named it. */
export function securityConfig(security: Security): SecurityConfig {
  const dropped = new Set(security.capDrop.map(capability))
  if (security.privileged) {
    return {
      Privileged: true,
      ...(dropped.size > 0 && { CapDrop: [...dropped] }),
      ...(security.securityOpt.length > 0 && { SecurityOpt: [...security.securityOpt] }),
    }
  }
  const kept = dropped.has('ALL') ? [] : defaultCapabilities.filter((name) => !dropped.has(name))
  const added = security.capAdd.map(capability)
  const capabilities = added.includes('ALL') ? ['ALL'] : [...new Set([...kept, ...added])]
  // The engine refuses ALL in both lists together with others: with ALL added, only what was named is dropped.
  const capDrop = added.includes('ALL') ? [...dropped].filter((name) => name !== 'ALL') : ['ALL']
  return { Privileged: false, CapAdd: capabilities, CapDrop: capDrop, SecurityOpt: securityOptions(security) }
}

/** The library's types know no cgroup namespace. */
export interface NestedConfig extends SecurityConfig {
  readonly MaskedPaths?: string[]
  readonly ReadonlyPaths?: string[]
  readonly DeviceCgroupRules?: string[]
  readonly CgroupnsMode: 'private'
}

/**
 * What an engine inside needs: everything. Where this machine's engine has no right to give it all, privileged would not start,
 * and the same is asked for without what is missing.
 */
export function nestedConfig(security: Security, missing: readonly string[]): NestedConfig {
  if (missing.length === 0)
    return { ...securityConfig({ ...security, privileged: true }), CgroupnsMode: 'private' }
  const dropped = [...missing, ...security.capDrop.map(capability)]
  return {
    Privileged: false,
    CapAdd: ['ALL'],
    CapDrop: [...new Set(dropped)],
    SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined', 'label=disable', ...security.securityOpt],
    MaskedPaths: [],
    ReadonlyPaths: [],
    DeviceCgroupRules: ['a *:* rwm'],
    CgroupnsMode: 'private',
  }
}

/** Bits of the kernel's capabilities that an engine may be without although it rules containers. */
const rarely: Readonly<Record<string, bigint>> = { SYS_RESOURCE: 24n, SYS_ADMIN: 21n }

/**
 * Pure: what no program of this machine can have, from the bounding set in /proc/self/status. Nothing
 * where holm itself is the one that is confined. Where the engine is on another machine, it does without what this one lacks.
 */
export function missingCapabilities(status: string | undefined): readonly string[] {
  const [, hex] = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status ?? '') ?? []
  if (hex === undefined) return []
  const bounds = BigInt(`0x${hex}`)
  const missing = Object.entries(rarely).flatMap(([name, bit]) => ((bounds >> bit) & 1n ? [] : [name]))
  return missing.includes('SYS_ADMIN') ? [] : missing
}

function securityOptions(security: Security): string[] {
  const named = security.securityOpt.some((option) => option.startsWith('no-new-privileges'))
  const options = security.securityOpt.filter((option) => !/^no-new-privileges[:=]false$/.test(option))
  return named ? options : ['no-new-privileges', ...options]
}

function capability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '')
}
