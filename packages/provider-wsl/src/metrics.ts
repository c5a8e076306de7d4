import { HolmError } from '@holm/core'
import type { MetricsFacet, MetricsSample } from '@holm/core'
import { metricsScript } from './scripts.ts'
import type { Session } from './session.ts'
import { callShell } from './wsl.ts'

/** The kernel's units on every architecture that WSL has. */
const ticksPerSecond = 100
const pageBytes = 4096

export function createMetrics(session: Session): MetricsFacet {
  return {
    sample: async (name, ctx) => {
      await session.requireRunning(name, ctx)
      const distribution = session.distribution(name)
      const doing = `measure environment ${name}`
      return parseSamples(
        await callShell(session.machine, { distribution, script: metricsScript, words: ['0.2'], doing }, ctx),
      )
    },
  }
}

/** Two lines of metricsScript. Processes that ended between them may leave less time than before: that is none. */
export function parseSamples(text: string): MetricsSample {
  const [first, second] = text
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
  const [upBefore = 0, ticksBefore = 0] = first ?? []
  const [up, ticks, pages, processes] = second ?? []
  if (
    up === undefined ||
    ticks === undefined ||
    pages === undefined ||
    processes === undefined ||
    up <= upBefore
  )
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `the measurement has no numbers: ${text.slice(0, 200)}`, {
      hint: 'Look whether /proc is mounted inside.',
    })
  const seconds = up - upBefore
  return {
    cpuPercent: Math.max(0, ((ticks - ticksBefore) / ticksPerSecond / seconds) * 100),
    memoryBytes: pages * pageBytes,
    processes,
  }
}
