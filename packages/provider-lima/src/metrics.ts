import { HolmError } from '@holm/core'
import type { MetricsFacet, MetricsSample } from '@holm/core'
import { notRunning } from './failures.ts'
import { runInside } from './inside.ts'
import type { Session } from './session.ts'
import { stateOf } from './state.ts'
import { requireStored } from './store.ts'

/** Threads of the kernel have no command line, and are not counted. */
const script = [
  'grep "^cpu" /proc/stat',
  'sleep 0.25',
  'grep "^cpu " /proc/stat',
  'grep -E "^(MemTotal|MemAvailable):" /proc/meminfo',
  'n=0; for f in /proc/[0-9]*/cmdline; do read -r l <"$f" && n=$((n+1)) || { [ -z "$l" ] || n=$((n+1)); }; done 2>/dev/null',
  'echo "processes $n"',
].join('\n')

export function createMetrics(session: Session): MetricsFacet {
  return {
    sample: async (name, ctx) => {
      const stored = await requireStored(session, name)
      if ((await stateOf(session, stored, ctx)).status !== 'running') throw notRunning(name)
      const { stdout } = await runInside(session, name, { request: { script }, ctx })
      const sample = parseSample(stdout.toString('utf8'))
      if (sample) return sample
      throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${name} does not tell how busy it is`, {
        hint: 'See that /proc is mounted inside.',
      })
    },
  }
}

/** Pure. Percent of one processor, from the part of all processors' time that was not idle. */
export function parseSample(text: string): MetricsSample | undefined {
  const [first, second] = [...text.matchAll(/^cpu +(.*)$/gm)].map(([, rest = '']) => parseTimes(rest))
  const total = kibibytes(text, 'MemTotal')
  const available = kibibytes(text, 'MemAvailable')
  const processes = /^processes (\d+)$/m.exec(text)?.[1]
  if (!first || !second || total === undefined || available === undefined || processes === undefined)
    return undefined
  const elapsed = second.total - first.total
  const processors = [...text.matchAll(/^cpu\d+ /gm)].length || 1
  const busy = elapsed > 0 ? (elapsed - (second.idle - first.idle)) / elapsed : 0
  return {
    cpuPercent: Math.max(0, Math.round(busy * processors * 10_000) / 100),
    memoryBytes: (total - available) * 1024,
    memoryLimitBytes: total * 1024,
    processes: Number(processes),
  }
}

function parseTimes(rest: string): { readonly total: number; readonly idle: number } {
  const times = rest.trim().split(/\s+/).map(Number)
  // Times of guests are contained in those of users.
  const total = times.slice(0, 8).reduce((sum, time) => sum + time, 0)
  return { total, idle: (times[3] ?? 0) + (times[4] ?? 0) }
}

function kibibytes(text: string, key: string): number | undefined {
  const found = new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(text)?.[1]
  return found === undefined ? undefined : Number(found)
}
