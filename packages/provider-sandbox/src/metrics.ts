import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MetricsFacet } from '@holm/core'
import { listProcesses, loadStat } from './processes.ts'
import type { Holder } from './record.ts'
import type { Session } from './session.ts'

const intervalMs = 120
/** The kernel's unit in /proc/<pid>/stat is fixed at 100 per second on every architecture that Node supports. */
const ticksPerSecond = 100
const pageBytes = 4096

/** Sums over the processes inside; a memory group's own figure where there is one, for it counts shared pages once. */
export function createMetrics(session: Session): MetricsFacet {
  return {
    sample: async (name, ctx) => {
      const { holder } = await session.requireRunning(name)
      const before = loadTicks(holder)
      const start = performance.now()
      await sleep(intervalMs, undefined, { signal: ctx.signal })
      const after = loadTicks(holder)
      const seconds = (performance.now() - start) / 1000
      const ticks = [...after].reduce(
        (sum, [pid, { ticks }]) => sum + ticks - (before.get(pid)?.ticks ?? 0),
        0,
      )
      const limit = holder.limits.find((each) => each.name === 'memory' && each.enforcedBy !== null)
      return {
        cpuPercent: Math.max(0, (ticks / ticksPerSecond / seconds) * 100),
        memoryBytes:
          groupMemory(holder) ?? [...after.values()].reduce((sum, { pages }) => sum + pages * pageBytes, 0),
        ...(limit ? { memoryLimitBytes: limit.value } : {}),
        processes: after.size,
      }
    },
  }
}

function loadTicks({ init }: Holder): Map<number, { ticks: number; pages: number }> {
  const stats = listProcesses(init.pid).map((pid) => [pid, loadStat(pid)] as const)
  return new Map(
    stats.flatMap(([pid, stat]) =>
      stat ? [[pid, { ticks: stat.cpuTicks, pages: stat.residentPages }] as const] : [],
    ),
  )
}

function groupMemory({ cgroups }: Holder): number | undefined {
  for (const folder of cgroups) {
    for (const file of ['memory.usage_in_bytes', 'memory.current']) {
      try {
        return Number(readFileSync(path.join(folder, file), 'utf8'))
      } catch {
        continue
      }
    }
  }
  return undefined
}
