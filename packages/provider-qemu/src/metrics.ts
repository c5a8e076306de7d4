import type { MetricsFacet, MetricsSample } from '@holm/core'
import { askAgent } from './agent.ts'
import { agentOf, type Session } from './session.ts'

export function createMetrics(session: Session): MetricsFacet {
  return {
    sample: async (name) =>
      parseSample(await askAgent(agentOf(await session.requireRunning(name)), 'metrics')),
  }
}

/** The agent sends /proc/stat twice, /proc/meminfo and the number of processes, with a zero byte between them. */
export function parseSample(data: Buffer): MetricsSample {
  const [before = '', after = '', memory = '', processes = '0'] = data.toString().split('\0')
  const [first, second] = [parseTimes(before), parseTimes(after)]
  const total = second.total - first.total
  const busy = total - (second.idle - first.idle)
  const kibibytes = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0)
  return {
    cpuPercent: total <= 0 ? 0 : (100 * second.cores * busy) / total,
    memoryBytes: (kibibytes('MemTotal') - kibibytes('MemAvailable')) * 1024,
    memoryLimitBytes: kibibytes('MemTotal') * 1024,
    processes: Number(processes),
  }
}

function parseTimes(stat: string): { readonly total: number; readonly idle: number; readonly cores: number } {
  const fields = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? []
  // The last two are part of the first two.
  const total = fields.slice(0, 8).reduce((sum, each) => sum + each, 0)
  return {
    total,
    idle: (fields[3] ?? 0) + (fields[4] ?? 0),
    cores: stat.match(/^cpu\d+ /gm)?.length ?? 1,
  }
}
