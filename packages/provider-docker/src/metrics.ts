import { setTimeout as wait } from 'node:timers/promises'
import { notRunning } from '@holm/core'
import type { MetricsFacet, MetricsSample } from '@holm/core'
import type Docker from 'dockerode'
import type { Engine } from './engine.ts'
import { requireContainer } from './lifecycle.ts'

/** Time between the two readings, milliseconds. */
const intervalMs = 120

/** Two readings of our own: the engine's built-in pair takes more than a second. */
export function metricsFacet(engine: Engine): MetricsFacet {
  return {
    sample: (name, ctx) =>
      engine.use({ ctx, action: `measure ${name}`, environment: name }, async (docker, abortSignal) => {
        const info = await requireContainer(docker, { engine, name, ctx })
        if (!info.State.Running) throw notRunning(name)
        // `one-shot` spares the engine's own second reading; the types have it only for streams.
        const oneShot = { stream: false as const, 'one-shot': true, abortSignal }
        const read = (): Promise<Docker.ContainerStats> => docker.getContainer(info.Id).stats(oneShot)
        const first = await read()
        await wait(intervalMs, undefined, { signal: abortSignal })
        return parseSample(first, await read(), info.HostConfig.Memory ?? 0)
      }),
  }
}

/** Pure: two readings as one measurement. `memoryLimit` 0 means none: the engine reports the machine's memory then. */
export function parseSample(
  first: Docker.ContainerStats,
  second: Docker.ContainerStats,
  memoryLimit: number,
): MetricsSample {
  const elapsedNs = (Date.parse(second.read) - Date.parse(first.read)) * 1e6
  const usedNs = second.cpu_stats.cpu_usage.total_usage - first.cpu_stats.cpu_usage.total_usage
  const memory = second.memory_stats
  // As `docker stats` does: pages that the kernel can drop at once are not the environment's. Names of cgroup v1 and v2.
  const stats: Partial<Record<string, number>> = { ...memory.stats }
  const reclaimable = stats['total_inactive_file'] ?? stats['inactive_file'] ?? 0
  return {
    cpuPercent: elapsedNs > 0 ? Math.max(0, Math.round((usedNs / elapsedNs) * 1000) / 10) : 0,
    memoryBytes: Math.max(0, (memory.usage ?? 0) - reclaimable),
    ...(memoryLimit > 0 && { memoryLimitBytes: memoryLimit }),
    processes: second.pids_stats?.current ?? 0,
  }
}
