import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec } from '@holm/core'
import type { Caller } from './record.ts'
import { volumeSource } from './volumes.ts'

/** HOLM_BLUEPRINT_UNSUPPORTED for what a sandbox cannot do, before anything is made. */
export function assertSupported(spec: EnvironmentSpec): void {
  const refuse = (what: string, hint: string): never => {
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the sandbox cannot ${what}`, { hint })
  }
  const { base, network, security } = spec
  if (base.kind === 'image' || base.kind === 'build')
    refuse(
      `run the base kind "${base.kind}"`,
      'Use the base kind host, rootfs or folder, or another provider.',
    )
  if (!['default', 'none', 'host'].includes(network))
    refuse(`join the network "${network}"`, 'Use the network default, host or none.')
  if (security.privileged)
    refuse(
      'be privileged: it has no powers over this machine to give',
      'Remove `privileged`, or use another provider.',
    )
  spec.mounts.forEach((mount, index) => {
    if (mount.type === 'volume') volumeSource(mount.source, index, { folder: '', volumes: '' })
    if (isForbidden(mount.target))
      refuse(
        `mount anything at "${mount.target}"`,
        'Name an absolute path that the sandbox does not make itself.',
      )
  })
  const moved = spec.ports.find(({ container, host }) => host !== undefined && host !== container)
  if (moved) {
    refuse(
      `publish port ${moved.container} as ${String(moved.host)}: its ports are this machine's own`,
      `Let the program listen on ${String(moved.host)}, or use another provider.`,
    )
  }
}

/** Where the root of every environment has its own things, and programs to be started with. */
const forbidden = [
  /^\/(?:proc|sys)(?:\/|$)/,
  /^\/(?:dev|run|etc|usr|bin|lib)?$/,
  /^\/dev\/pts(?:\/|$)/,
  /^\/run\/holm\.log$/,
]

function isForbidden(target: string): boolean {
  const plain = path.posix.normalize(target).replace(/(.)\/$/, '$1')
  return !target.startsWith('/') || target.includes('\0') || forbidden.some((each) => each.test(plain))
}

/** What the blueprint asks for and the sandbox leaves out, one sentence each, by the blueprint's own words. */
export function listIgnored(spec: EnvironmentSpec, caller: Pick<Caller, 'uid'>): string[] {
  const { capAdd, capDrop, securityOpt } = spec.security
  // No program inside can gain privileges, asked for or not.
  const options = securityOpt.filter((option) => !/^no-new-privileges(?:[:=]true)?$/.test(option))
  const root = spec.user === undefined || /^(?:root|0)(?::|$)/.test(spec.user)
  return [
    ...(capAdd.length === 0
      ? []
      : [`capAdd has no effect: no capability over this machine is given (${capAdd.join(', ')})`]),
    ...(capDrop.length === 0
      ? []
      : [
          `capDrop has no effect: capabilities inside reach only what is inside, and are kept (${capDrop.join(', ')})`,
        ]),
    ...(options.length === 0
      ? []
      : [`securityOpt has no effect: the sandbox takes no such options (${options.join(', ')})`]),
    // An ordinary caller is the only user inside: its files match without a word.
    ...(spec.matchUserId && caller.uid === 0 && !root
      ? [`matchUserId has no effect: holm runs as root, and ${spec.user} keeps the id of the base`]
      : []),
  ]
}
