import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** What the figures depend on; nothing that names this machine. */
export interface Machine {
  readonly cpus: number
  readonly cpu: string
  readonly memoryGb: number
  readonly system: string
  readonly kernel: string
  /** Load averages over 1, 5 and 15 minutes. */
  readonly loadBefore: readonly number[]
  readonly loadAfter: readonly number[]
}

/** `loadBefore` was read when the run began. */
export function describeMachine(loadBefore: readonly number[]): Machine {
  const processors = cpus()
  return {
    cpus: processors.length,
    cpu: processors[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 1e9),
    system: readSystemName(),
    kernel: release().split('-')[0] ?? '',
    loadBefore,
    loadAfter: loadavg(),
  }
}

function readSystemName(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? process.platform
  } catch {
    return process.platform
  }
}
