import { readFileSync } from 'node:fs'
import type { PortBinding } from '@holm/core'
import type { SandboxRecord } from './record.ts'
import { isRunning } from './state.ts'

/** Ports that something listens on, from /proc/net/tcp or /proc/net/udp. */
export function parseListeners(text: string, protocol: 'tcp' | 'udp'): ReadonlySet<number> {
  const listening = protocol === 'tcp' ? '0A' : '07'
  const rows = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
  return new Set(
    rows
      .filter((fields) => fields[3] === listening)
      .map((fields) => Number.parseInt(fields[1]?.split(':').at(-1) ?? '', 16)),
  )
}

/**
 * Declared ports on which something listens: as they are, because nothing is mapped. Without a network of its own an
 * environment cannot be told apart from the rest of this machine here.
 */
export function listPorts(record: SandboxRecord): readonly PortBinding[] {
  if (!isRunning(record) || record.network === 'none' || record.ports.length === 0) return []
  const open = {
    tcp: listeners(record.holder.init.pid, 'tcp'),
    udp: listeners(record.holder.init.pid, 'udp'),
  }
  return record.ports
    .filter(({ container, protocol }) => open[protocol].has(container))
    .map(({ container, hostIp, protocol }) => ({ container, host: container, hostIp, protocol }))
}

function listeners(pid: number, protocol: 'tcp' | 'udp'): ReadonlySet<number> {
  const texts = ['', '6'].flatMap((version) => {
    try {
      return [readFileSync(`/proc/${pid}/net/${protocol}${version}`, 'utf8')]
    } catch {
      return []
    }
  })
  return new Set(texts.flatMap((text) => [...parseListeners(text, protocol)]))
}
