import { stat } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec, Mount, ProviderContext } from '@holm/core'
import type { Architecture } from './argv.ts'
import type { QemuOptions } from './record.ts'
import type { Session } from './session.ts'
import { assertVolumeName } from './shares.ts'

function refuse(what: string, hint: string): never {
  throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `qemu cannot ${what}`, { hint })
}

/** HOLM_BLUEPRINT_UNSUPPORTED for what a machine cannot do, before anything is made. */
export async function assertSupported(spec: EnvironmentSpec): Promise<void> {
  const { base, network, security, resources } = spec
  if (base.kind !== 'rootfs' && base.kind !== 'folder' && base.kind !== 'disk')
    refuse(
      `run the base kind "${base.kind}"`,
      'Use the base kind rootfs, folder or disk, or another provider.',
    )
  if (!['default', 'none'].includes(network))
    refuse(`join the network "${network}"`, 'Use the network default or none.')
  if (security.devices.length > 0)
    refuse(
      `hand in devices of this machine (${security.devices.join(', ')})`,
      'Remove `devices`, or use another provider.',
    )
  if (resources.pids !== undefined && resources.pids < 1) refuse('run without processes', 'Raise `pids`.')
  const ipv6 = spec.ports.find(({ hostIp }) => hostIp.includes(':'))
  if (ipv6) refuse(`publish a port on ${ipv6.hostIp}`, 'Publish it on an IPv4 address.')
  for (const mount of spec.mounts) await assertMount(mount)
}

/** HOLM_TOOL_MISSING where nothing here emulates the processor that is asked for. */
export async function assertArchitecture(
  session: Session,
  { options }: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<void> {
  const { arch, accelerator } = (options['qemu'] ?? {}) as QemuOptions
  if (arch === undefined || arch === session.architecture) return
  if (accelerator === 'kvm')
    refuse(`run a processor of the kind ${arch} with KVM here`, 'Remove `accelerator`: it is emulated.')
  await session.version(ctx, arch).catch((cause: unknown) => {
    const hint = `Install it: apt-get install --no-install-recommends ${systemPackages[arch]}.`
    throw new HolmError('HOLM_TOOL_MISSING', `qemu-system-${arch} is not installed`, { hint, cause })
  })
}

/** Debian's package of the QEMU for a processor. */
export const systemPackages: Readonly<Record<Architecture, string>> = {
  x86_64: 'qemu-system-x86',
  aarch64: 'qemu-system-arm',
}

async function assertMount(mount: Mount): Promise<void> {
  if (isForbidden(mount.target))
    refuse(
      `mount anything at "${mount.target}"`,
      'Name an absolute path that the machine does not mount itself.',
    )
  if (mount.type === 'volume' && mount.source !== undefined) assertVolumeName(mount.source)
  if (mount.type === 'bind') await assertFolder(mount.source)
}

async function assertFolder(source: string): Promise<void> {
  const found = await stat(source).catch(() => undefined)
  if (found === undefined)
    throw new HolmError('HOLM_BLUEPRINT_INVALID', `there is nothing to mount at ${source}`, {
      hint: 'Make the folder, or correct the mount.',
    })
  if (!found.isDirectory())
    refuse(
      `mount ${source}: it is no folder, and a machine shares folders`,
      'Mount the folder that it is in.',
    )
}

const forbidden = [/^\/(?:proc|sys|dev)(?:\/|$)/, /^\/(?:etc|usr|bin|sbin|lib|run)?$/]

function isForbidden(target: string): boolean {
  const plain = path.posix.normalize(target).replace(/(.)\/$/, '$1')
  return !target.startsWith('/') || target.includes('\0') || forbidden.some((each) => each.test(plain))
}

/** What the blueprint asks for and a machine leaves out, one sentence each, by the blueprint's own words. */
export function listIgnored(spec: EnvironmentSpec): string[] {
  const { capAdd, capDrop, securityOpt } = spec.security
  const limits = [...capAdd, ...capDrop, ...securityOpt]
  return [
    ...(limits.length === 0
      ? []
      : [`capAdd, capDrop and securityOpt have no effect: the machine is the border (${limits.join(', ')})`]),
    ...(spec.network === 'none' && spec.ports.length > 0 ? ['ports have no effect without a network'] : []),
  ]
}
