import type { LimitName, Resources } from '@holm/core'
import type { Device, Machine } from './machine.ts'

/** Enough for compilers and editors, low enough to stop a fork bomb. */
export const defaultPids = 4096

const periodUs = 100_000

export interface DeviceRule {
  readonly allow: boolean
  readonly access: string
  readonly type?: string
  readonly major?: number
  readonly minor?: number
}

export interface LinuxResources {
  readonly devices?: readonly DeviceRule[]
  readonly memory?: { readonly limit: number; readonly swap?: number }
  readonly cpu?: { readonly quota: number; readonly period: number }
  readonly pids?: { readonly limit: number }
}

export interface ResourcesInput {
  readonly resources: Resources
  readonly machine: Machine
  readonly devices: readonly Device[]
  readonly privileged: boolean
}

/** Pure: limits and device rules of a new environment. */
export function linuxResources(input: ResourcesInput): LinuxResources {
  const { privileged, devices } = input
  const rules: readonly DeviceRule[] = [
    { allow: privileged, access: 'rwm' },
    ...devices.map(({ type, major, minor }) => ({ allow: true, access: 'rwm', type, major, minor })),
  ]
  return { devices: rules, ...limitsOf(input) }
}

/** Pure: the limits alone, for a new environment and for a change. Those that nothing here enforces are left out: the runtime would refuse them. */
export function limitsOf({
  resources,
  machine,
}: Pick<ResourcesInput, 'resources' | 'machine'>): Omit<LinuxResources, 'devices'> {
  const { cpus, memoryBytes, pids = defaultPids } = resources
  const can = (name: LimitName): boolean => machine.enforcers[name] !== null
  return {
    ...(memoryBytes !== undefined &&
      can('memory') && {
        // Swap equal to memory: no swap on top, so that the limit is the limit.
        memory: { limit: memoryBytes, ...(machine.swapLimit && { swap: memoryBytes }) },
      }),
    ...(cpus !== undefined &&
      can('cpus') && { cpu: { quota: Math.round(cpus * periodUs), period: periodUs } }),
    ...(can('pids') && { pids: { limit: pids } }),
  }
}

/** Limits an environment is made with, by name. */
export function wantedLimits(resources: Resources): Partial<Record<LimitName, number>> {
  return {
    ...(resources.cpus !== undefined && { cpus: resources.cpus }),
    ...(resources.memoryBytes !== undefined && { memory: resources.memoryBytes }),
    ...(resources.diskBytes !== undefined && { disk: resources.diskBytes }),
    pids: resources.pids ?? defaultPids,
  }
}
