import { constants } from 'node:fs/promises'
import { isAccessible, ok, readText, warning } from './check.ts'
import {
  hasFilesystem,
  hasVirtualisation,
  overlapsEphemeral,
  parseCgroups,
  parsePortList,
  parsePortRange,
  userNamespaceFix,
} from './parse.ts'
import type { Check, Finding } from './check.ts'

/** Ports that workspaces lease. */
export const leasedPorts = [32_800, 34_999] as const

type Read = (path: string) => Promise<string>

const readOrEmpty: Read = async (path) => (await readText(path)) ?? ''

/** What a Linux kernel offers to runtimes. `root`: may the caller do without user namespaces? */
export function kernelChecks(root: boolean): readonly Check[] {
  const check = (name: string, look: () => Promise<Finding>): Check => ({ group: 'machine', name, look })
  return [
    check('user namespaces', () => checkUserNamespaces(root)),
    check('overlayfs', checkOverlay),
    check('cgroups', checkCgroups),
    check('seccomp', checkSeccomp),
    check('kvm', checkKvm),
    check('inotify', checkInotify),
    check('ports', checkPorts),
  ]
}

async function checkUserNamespaces(root: boolean): Promise<Finding> {
  const [max, clone, apparmor] = await Promise.all([
    readText('/proc/sys/user/max_user_namespaces'),
    readText('/proc/sys/kernel/unprivileged_userns_clone'),
    readText('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
  ])
  const setting = userNamespaceFix({ max, clone, apparmor })
  if (setting === undefined) return ok('permitted')
  if (root) return ok('not for normal users; root does without')
  return warning('not permitted: no sandbox and no rootless containers', `Run: sudo sysctl -w ${setting}`)
}

async function checkOverlay(): Promise<Finding> {
  if (hasFilesystem(await readOrEmpty('/proc/filesystems'), 'overlay')) return ok('present')
  return warning('not loaded: clones are copies', 'Run: sudo modprobe overlay')
}

async function checkCgroups(): Promise<Finding> {
  const [mountinfo, own, names] = await Promise.all(
    ['/proc/self/mountinfo', '/proc/self/cgroup', '/sys/fs/cgroup/cgroup.controllers'].map(readOrEmpty),
  )
  const { version, controllers } = parseCgroups(mountinfo ?? '', own ?? '', names ?? '')
  if (version === 'none')
    return warning('not mounted: the sandbox limits with prlimit only', 'Mount cgroup2 at /sys/fs/cgroup.')
  const writable = await Promise.all(controllers.map(({ folder }) => isAccessible(folder)))
  const usable = controllers.filter((_controller, index) => writable[index]).map(({ name }) => name)
  const detail = `version ${version}, writable: ${usable.length === 0 ? 'none' : usable.join(', ')}`
  if (['memory', 'pids', 'cpu'].every((name) => usable.includes(name))) return ok(detail)
  return warning(
    `${detail}: the sandbox limits with prlimit only; engines with a daemon are not affected`,
    version === 2
      ? 'Delegate controllers to your user: systemctl edit user@.service, Delegate=cpu memory pids.'
      : 'Run holm as root, or boot with cgroup version 2.',
  )
}

async function checkSeccomp(): Promise<Finding> {
  if (/^Seccomp:/m.test(await readOrEmpty('/proc/self/status'))) return ok('present')
  return warning('the kernel has none: system calls are not filtered', 'Use a kernel with CONFIG_SECCOMP.')
}

async function checkKvm(): Promise<Finding> {
  const slow = 'virtual machines run in emulation, some ten times slower'
  if (!(await isAccessible('/dev/kvm', constants.F_OK))) {
    return {
      status: 'missing',
      detail: `no /dev/kvm: ${slow}`,
      fix: 'Enable virtualisation in the firmware or the hypervisor.',
    }
  }
  if (!(await isAccessible('/dev/kvm', constants.R_OK | constants.W_OK))) {
    return warning(
      `/dev/kvm may not be used by you: ${slow}`,
      'Run: sudo usermod -aG kvm $USER, then log in again',
    )
  }
  // The device alone proves nothing: nested and software hypervisors have it, too.
  if (hasVirtualisation(await readOrEmpty('/proc/cpuinfo')) !== false) return ok('/dev/kvm can be used')
  return warning(
    `/dev/kvm is there, but the processor shows no vmx or svm: ${slow}`,
    'Use a machine with hardware virtualisation.',
  )
}

async function checkInotify(): Promise<Finding> {
  const instances = Number(await readOrEmpty('/proc/sys/fs/inotify/max_user_instances'))
  if (instances >= 512) return ok(`${instances} instances`)
  return warning(
    `${instances} instances per user: file watchers of several environments run out`,
    'Run: sudo sysctl -w fs.inotify.max_user_instances=1024',
  )
}

async function checkPorts(): Promise<Finding> {
  const [range, reserved] = await Promise.all([
    readOrEmpty('/proc/sys/net/ipv4/ip_local_port_range'),
    readOrEmpty('/proc/sys/net/ipv4/ip_local_reserved_ports'),
  ])
  const ephemeral = parsePortRange(range)
  const own = `${leasedPorts[0]}-${leasedPorts[1]}`
  if (!ephemeral) return ok(`${own}; the system's own range is unknown`)
  if (!overlapsEphemeral(leasedPorts, ephemeral, parsePortList(reserved)))
    return ok(`${own} is not handed out by the system`)
  // Each port is tried before it is given to an environment: this is how an ordinary machine is set up, and nothing to repair.
  return ok(`${own}, each tried first: outgoing connections take ports from ${ephemeral.join('-')}, too`)
}
