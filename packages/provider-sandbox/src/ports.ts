import type { PortBinding } from '@holm/core'
import type { SandboxRecord } from './record.ts'
import { isRunning } from './state.ts'

/** Declared ports as they are, for nothing is mapped: what listens inside listens on this machine. */
export function listPorts(record: SandboxRecord): readonly PortBinding[] {
  if (!isRunning(record) || record.network === 'none') return []
  return record.ports.map(({ container, hostIp, protocol }) => ({
    container,
    host: container,
    hostIp,
    protocol,
  }))
}
