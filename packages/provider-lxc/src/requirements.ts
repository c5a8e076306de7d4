import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec } from '@holm/core'
import type { Caller } from './session.ts'

/** HOLM_BLUEPRINT_UNSUPPORTED for what a container here cannot do, before anything is made. */
export function assertSupported(spec: EnvironmentSpec, caller: Caller): void {
  const refuse = (what: string, hint: string): never => {
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `lxc cannot ${what}`, { hint })
  }
  const { base, network, ports } = spec
  if (base.kind !== 'rootfs' && base.kind !== 'folder')
    refuse(
      `run the base kind "${base.kind}"`,
      'Use a tarball or folder (`holm base add`), or another provider.',
    )
  if (caller.uid !== 0 && !['default', 'none', 'host'].includes(network))
    refuse(
      `join the network "${network}" without root`,
      'Use the network default, host or none, or run holm as root.',
    )
  for (const { hostIp } of ports) {
    if (!/^\d+\.\d+\.\d+\.\d+$/.test(hostIp)) refuse(`publish on "${hostIp}"`, 'Publish on an IPv4 address.')
  }
  for (const { target } of spec.mounts) {
    if (isForbidden(target))
      refuse(`mount anything at "${target}"`, 'Name an absolute path that LXC does not make itself.')
  }
}

const forbidden = [/^\/(?:proc|sys|dev)(?:\/|$)/, /^\/$/]

function isForbidden(target: string): boolean {
  if (!target.startsWith('/') || target.includes('\0')) return true
  const plain = path.posix.normalize(target).replace(/(.)\/$/, '$1')
  return plain !== '/dev/shm' && forbidden.some((each) => each.test(plain))
}

/** What the blueprint asks for and a container here leaves out, one sentence each. */
export function listIgnored(spec: EnvironmentSpec, caller: Caller): string[] {
  const known = /^(?:no-new-privileges(?:[:=](?:true|false))?|(?:seccomp|apparmor)[:=]unconfined)$/
  const options = spec.security.securityOpt.filter((option) => !known.test(option))
  const isRoot = spec.user === undefined || /^(?:root|0)(?::|$)/.test(spec.user)
  const lines = Object.entries(spec.env).filter(([, value]) => spec.main === 'base' && value.includes('\n'))
  return [
    ...(options.length === 0
      ? []
      : [`securityOpt is not known to LXC and has no effect (${options.join(', ')})`]),
    ...(spec.matchUserId && caller.uid !== 0 && !isRoot
      ? [
          `matchUserId has no effect: without root, root inside is you, and ${spec.user} keeps an id of its own`,
        ]
      : []),
    ...(caller.uid !== 0 && spec.network === 'default'
      ? ['without root there is no network: use `network: host`, or run holm as root']
      : []),
    ...(caller.uid !== 0 && spec.ports.length > 0 && spec.network !== 'host'
      ? ['ports are not published without root']
      : []),
    ...lines.map(
      ([name]) => `${name} is not given to the main process: LXC takes no value with a line break`,
    ),
  ]
}
