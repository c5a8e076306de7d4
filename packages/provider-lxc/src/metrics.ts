import { setTimeout as sleep } from 'node:timers/promises'
import type { MetricsFacet } from '@holm/core'
import { groupOf, loadCgroupMounts, readNumber, type CgroupMounts } from './cgroup.ts'
import path from 'node:path'
import { listProcesses, loadStat, readText } from './processes.ts'
import { loadRun } from './record.ts'
import type { Session } from './session.ts'

const intervalMs = 150
const ticksPerSecond = 100
const pageBytes = 4096

/** From the container's control groups; of an ordinary user's container, which may have none, from its processes. */
export function createMetrics(session: Session): MetricsFacet {
  return {
    sample: async (name, ctx) => {
      const { container } = await session.requireRunning(name)
      const pid = container.init.pid
      const mounts = loadCgroupMounts()
      const [before, start] = [loadCpu(pid, mounts), performance.now()]
      await sleep(intervalMs, undefined, { signal: ctx.signal })
      const seconds = loadCpu(pid, mounts) - before
      const elapsed = (performance.now() - start) / 1000
      const { limits = [] } = (await loadRun(session.folder(name))) ?? {}
      const limit = limits.find((each) => each.name === 'memory' && each.enforcedBy !== null)
      return {
        cpuPercent: Math.max(0, (seconds / elapsed) * 100),
        memoryBytes: loadMemory(pid, mounts),
        ...(limit ? { memoryLimitBytes: limit.value } : {}),
        processes: listProcesses(pid).length,
      }
    },
  }
}

/** Seconds of processor time so far. */
function loadCpu(pid: number, mounts: CgroupMounts): number {
  const group = groupOf(pid, mounts.v1.cpuacct === undefined ? 'cpu' : 'cpuacct', mounts)
  if (group !== undefined) {
    const nanoseconds = readNumber(group.folder, 'cpuacct.usage')
    if (nanoseconds !== undefined) return nanoseconds / 1e9
    const usage = /^usage_usec (\d+)$/m.exec(readText(path.join(group.folder, 'cpu.stat')))?.[1]
    if (usage !== undefined) return Number(usage) / 1e6
  }
  return listProcesses(pid).reduce((sum, each) => sum + (loadStat(each)?.cpuTicks ?? 0), 0) / ticksPerSecond
}

function loadMemory(pid: number, mounts: CgroupMounts): number {
  const group = groupOf(pid, 'memory', mounts)
  if (group !== undefined) {
    const used =
      readNumber(group.folder, 'memory.usage_in_bytes') ?? readNumber(group.folder, 'memory.current')
    if (used !== undefined) return used
  }
  return listProcesses(pid).reduce((sum, each) => sum + (loadStat(each)?.residentPages ?? 0) * pageBytes, 0)
}
