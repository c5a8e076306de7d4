import { omitUndefined } from '../omit-undefined.ts'
import { parseSize } from '../parse-quantity.ts'
import type { MachineSize } from '../blueprint-context.ts'
import type { DevcontainerRequirements } from './devcontainer-config.ts'
import type { HostRequirements } from '../loaded-blueprint.ts'

/** `{ memory: '4gb' }` to bytes. Throws HOLM_BLUEPRINT_INVALID. */
export function toRequirements(requirements: DevcontainerRequirements): HostRequirements {
  const { cpus, memory, storage, gpu } = requirements
  return omitUndefined({
    cpus,
    memoryBytes: memory === undefined ? memory : parseSize(memory),
    storageBytes: storage === undefined ? storage : parseSize(storage),
    gpu: toGpu(gpu),
  })
}

function toGpu(gpu: DevcontainerRequirements['gpu']): HostRequirements['gpu'] {
  if (gpu === undefined || gpu === false) return undefined
  return gpu === 'optional' ? 'optional' : 'required'
}

/** The larger of each. */
export function mergeRequirements(left: HostRequirements, right: HostRequirements): HostRequirements {
  return omitUndefined({
    cpus: larger(left.cpus, right.cpus),
    memoryBytes: larger(left.memoryBytes, right.memoryBytes),
    storageBytes: larger(left.storageBytes, right.storageBytes),
    gpu: left.gpu === 'required' ? left.gpu : (right.gpu ?? left.gpu),
  })
}

function larger(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined || right === undefined) return left ?? right
  return Math.max(left, right)
}

/** One sentence for each minimum that the machine does not reach. Disk and GPU are the provider's to know. */
export function unmetRequirements(requirements: HostRequirements, machine: MachineSize): string[] {
  const { cpus = 0, memoryBytes = 0 } = requirements
  const cores = `the blueprint needs ${cpus} cores, this machine has ${machine.cpus}`
  const memory = `the blueprint needs ${gib(memoryBytes)} of memory, this machine has ${gib(machine.memoryBytes)}`
  return [...(cpus > machine.cpus ? [cores] : []), ...(memoryBytes > machine.memoryBytes ? [memory] : [])]
}

function gib(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}
