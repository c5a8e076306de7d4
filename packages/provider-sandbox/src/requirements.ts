import { HolmError } from '@holm/core'
import type { EnvironmentSpec } from '@holm/core'

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
  const moved = spec.ports.find(({ container, host }) => host !== undefined && host !== container)
  if (moved) {
    refuse(
      `publish port ${moved.container} as ${String(moved.host)}: its ports are this machine's own`,
      `Let the program listen on ${String(moved.host)}, or use another provider.`,
    )
  }
}
