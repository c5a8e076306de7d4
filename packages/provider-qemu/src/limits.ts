import { availableParallelism } from 'node:os'
import type { AppliedLimit, Resources } from '@holm/core'
import type { Accelerator } from './argv.ts'

const mebibyte = 1024 * 1024
/** A kernel and its first programs need this much; below it, programs are limited inside a machine that has it. */
export const leastMemoryMiB = 192
const usualMemoryMiB = 1024
const mostCores = 4

/** To emulate a processor takes more than one: half of this machine's are left for what else it does. */
function usualCores(accelerator: Accelerator, processors: number): number {
  const share = accelerator === 'kvm' ? processors : Math.floor(processors / 2)
  return Math.max(1, Math.min(share, mostCores))
}

export interface MachineLimits {
  readonly cores: number
  readonly memoryMiB: number
  /** Cores for programs, where they are no whole number. */
  readonly cpus?: number
  /** Bytes for programs, where the machine has more. */
  readonly memoryBytes?: number
  readonly pids: number | undefined
  readonly applied: readonly AppliedLimit[]
}

/** How limits become properties of a machine, or of the control group of its programs. Pure but for the number of processors. */
export function planLimits(
  { cpus, memoryBytes, diskBytes, pids }: Resources,
  accelerator: Accelerator = 'kvm',
  processors = availableParallelism(),
): MachineLimits {
  const wanted = memoryBytes === undefined ? usualMemoryMiB : Math.ceil(memoryBytes / mebibyte)
  const small = memoryBytes !== undefined && (wanted < leastMemoryMiB || memoryBytes % mebibyte !== 0)
  const parts = cpus !== undefined && !Number.isInteger(cpus)
  return {
    cores: cpus === undefined ? usualCores(accelerator, processors) : Math.max(1, Math.ceil(cpus)),
    memoryMiB: Math.max(wanted, leastMemoryMiB),
    ...(parts ? { cpus } : {}),
    ...(small ? { memoryBytes } : {}),
    pids,
    applied: [
      ...limit('cpus', cpus, parts ? inside : 'processors of the machine'),
      ...limit('memory', memoryBytes, small ? inside : 'memory of the machine'),
      ...limit('disk', diskBytes, 'size of the disk'),
      ...limit('pids', pids, inside),
    ],
  }
}

const inside = 'cgroup v2 in the machine'

function limit(name: AppliedLimit['name'], value: number | undefined, enforcedBy: string): AppliedLimit[] {
  return value === undefined ? [] : [{ name, value, enforcedBy }]
}
