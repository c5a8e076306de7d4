import { HolmError } from '@holm/core'
import type { EnvironmentSpec } from '@holm/core'
import type { Machine } from './machine.ts'
import { assertTargets, listDriveSources } from './mounts.ts'
import { optionsOf } from './options.ts'
import { assertPorts } from './ports.ts'
import { assertDrivesVisible, resolveConf, type ConfSections } from './wsl-conf.ts'

/** HOLM_BLUEPRINT_… for what WSL cannot do, before anything is made. */
export function assertSupported(machine: Pick<Machine, 'parsePath'>, spec: EnvironmentSpec): void {
  const refuse = (what: string, hint: string): never => {
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `WSL cannot ${what}`, { hint })
  }
  if (spec.base.kind !== 'rootfs')
    refuse(`run the base kind "${spec.base.kind}"`, 'Use a root filesystem, or another provider.')
  if (spec.network !== 'default')
    refuse(`join the network "${spec.network}": all distributions have one`, 'Use the network default.')
  assertPorts(spec)
  assertTargets(spec)
  assertDrivesVisible(confOf(spec), listDriveSources(spec.mounts, machine.parsePath))
}

/** Settings of /etc/wsl.conf for a spec. */
export function confOf(spec: EnvironmentSpec): ConfSections {
  const { hostname, user } = spec
  return resolveConf({ ...optionsOf(spec), hostname, ...(user === undefined ? {} : { user }) })
}

/** What the blueprint asks for and WSL leaves out, one sentence each, by the blueprint's own words. */
export function listIgnored({
  security,
  matchUserId,
}: Pick<EnvironmentSpec, 'security' | 'matchUserId'>): string[] {
  const { capAdd, capDrop, securityOpt, devices } = security
  const lists = { capAdd, capDrop, securityOpt, devices }
  const given = Object.entries(lists).filter(([, values]) => values.length > 0)
  return [
    ...given.map(
      ([name, values]) => `${name} has no effect: root inside has all that WSL gives (${values.join(', ')})`,
    ),
    ...(matchUserId ? ['matchUserId has no effect: a user of Windows has no numeric id'] : []),
  ]
}
