import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { MetricsFacet, MetricsSample } from '@holm/core'
import type { Engine } from './engine.ts'
import { requireRunning } from './environment.ts'

/** Time between the two readings, milliseconds. */
const intervalMs = 120

/** Read from the control group itself: containerd's own answer has a form per version of them. */
export function metricsFacet(engine: Engine): MetricsFacet {
  return {
    sample: (name, ctx) =>
      engine.use({ ctx, action: `measure ${name}`, environment: name }, async (client) => {
        const { task, record } = await requireRunning(client, name)
        const group = parseGroups(await readFile(`/proc/${task.pid}/cgroup`, 'utf8'))
        const first = { at: performance.now(), ...(await readUsage(group)) }
        await wait(intervalMs, undefined, { signal: ctx.signal })
        const second = { at: performance.now(), ...(await readUsage(group)) }
        return parseSample(first, second, record.limits.memory)
      }),
  }
}

/** Controller to folder of the control group. */
export type Groups = (controller: string) => string

/** Pure: /proc/<pid>/cgroup. */
export function parseGroups(text: string): Groups {
  const lines = text.split('\n').map((line) => line.split(':'))
  const unified = lines
    .find(([id]) => id === '0')
    ?.slice(2)
    .join(':')
  return (controller) => {
    const found = lines.find(([, names]) => names?.split(',').includes(controller))
    return found
      ? path.join('/sys/fs/cgroup', controller, found.slice(2).join(':'))
      : path.join('/sys/fs/cgroup', unified ?? '/')
  }
}

export interface Usage {
  readonly cpuNs: number
  readonly memoryBytes: number
  readonly processes: number
}

async function readUsage(group: Groups): Promise<Usage> {
  const read = (controller: string, file: string): Promise<string | undefined> =>
    readFile(path.join(group(controller), file), 'utf8').catch(() => undefined)
  const [usage, cpuStat, used1, used2, memoryStat, pids] = await Promise.all([
    read('cpuacct', 'cpuacct.usage'),
    read('cpu', 'cpu.stat'),
    read('memory', 'memory.usage_in_bytes'),
    read('memory', 'memory.current'),
    read('memory', 'memory.stat'),
    read('pids', 'pids.current'),
  ])
  // Pages that the kernel can drop at once are not the environment's.
  const reclaimable = field(memoryStat, 'total_inactive_file') ?? field(memoryStat, 'inactive_file') ?? 0
  return {
    cpuNs: usage === undefined ? (field(cpuStat, 'usage_usec') ?? 0) * 1000 : Number(usage),
    memoryBytes: Math.max(0, Number(used1 ?? used2 ?? 0) - reclaimable),
    processes: Number(pids ?? 0),
  }
}

/** Pure: the number behind a word at the start of a line. */
function field(text: string | undefined, name: string): number | undefined {
  const value = new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1]
  return value === undefined ? undefined : Number(value)
}

/** Pure: two readings (`at` in milliseconds) as one measurement. */
export function parseSample(
  first: Usage & { readonly at: number },
  second: Usage & { readonly at: number },
  limit: number | undefined,
): MetricsSample {
  const elapsedNs = (second.at - first.at) * 1e6
  const percent = elapsedNs > 0 ? ((second.cpuNs - first.cpuNs) / elapsedNs) * 100 : 0
  return {
    cpuPercent: Math.max(0, Math.round(percent * 10) / 10),
    memoryBytes: second.memoryBytes,
    ...(limit !== undefined && { memoryLimitBytes: limit }),
    processes: second.processes,
  }
}
