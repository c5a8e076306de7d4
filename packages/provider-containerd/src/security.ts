import type { Security } from '@holm/core'

/**
 * What root may do inside by default. All else is dropped, so that a new kernel capability is never granted by accident.
 * The same set as of the docker provider: no NET_RAW, MKNOD or SETPCAP.
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

/** The kernel's capabilities in the order of their bits. */
const allCapabilities: readonly string[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST ' +
  'NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM ' +
  'BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ')

/** Pure: names without CAP_ that a bounding set has, as /proc/self/status writes it. */
export function parseCapabilities(hex: string): readonly string[] {
  const bits = BigInt(`0x${hex}`)
  return allCapabilities.filter((_, bit) => ((bits >> BigInt(bit)) & 1n) === 1n)
}

/** Capabilities (with CAP_) of root inside. Nobody gets what this machine's own root lacks: the runtime would refuse to start. */
export function capabilitiesOf(security: Security, bounding: readonly string[]): readonly string[] {
  const dropped = new Set(security.capDrop.map(capability))
  const added = security.capAdd.map(capability)
  const wanted =
    security.privileged || added.includes('ALL')
      ? bounding.filter((name) => !dropped.has(name))
      : [
          ...new Set([
            ...(dropped.has('ALL') ? [] : defaultCapabilities.filter((name) => !dropped.has(name))),
            ...added,
          ]),
        ]
  return wanted.filter((name) => bounding.includes(name)).map((name) => `CAP_${name}`)
}

function capability(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '')
}

export function noNewPrivileges(security: Security): boolean {
  return (
    !security.privileged && !security.securityOpt.some((each) => /^no-new-privileges[:=]false$/.test(each))
  )
}

interface SeccompRule {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number
  readonly args?: readonly {
    readonly index: number
    readonly value: number
    readonly valueTwo?: number
    readonly op: string
  }[]
}

export interface Seccomp {
  readonly defaultAction: string
  readonly syscalls: readonly SeccompRule[]
}

const newUserNamespace = 0x10000000
const eperm = 1
const enosys = 38

/** Calls that no capability of an environment needs and that have led out of containers, or change the whole machine. */
const refused: readonly string[] =
  `acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module
  get_kernel_syms init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mount_setattr move_pages nfsservctl
  open_by_handle_at perf_event_open pivot_root query_module quotactl quotactl_fd reboot
  request_key setdomainname settimeofday stime swapoff swapon _sysctl sysfs uselib userfaultfd ustat vm86 vm86old`.split(
    /\s+/,
  )

/** Undefined where the blueprint loosens what it would protect. User namespaces stay closed: most ways out began in one. */
export function seccompOf(security: Security): Seccomp | undefined {
  const loose = security.securityOpt.some((each) => /^seccomp[:=]unconfined$/.test(each))
  const isAdmin = security.capAdd.map(capability).some((name) => name === 'SYS_ADMIN' || name === 'ALL')
  if (security.privileged || loose || isAdmin) return undefined
  const user = { value: newUserNamespace, valueTwo: newUserNamespace, op: 'SCMP_CMP_MASKED_EQ' }
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { names: refused, action: 'SCMP_ACT_ERRNO', errnoRet: eperm },
      {
        names: ['clone', 'unshare'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: eperm,
        args: [{ index: 0, ...user }],
      },
      // Its flags are in memory, where no filter sees them: C libraries use `clone` when it is not there.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
    ],
  }
}
