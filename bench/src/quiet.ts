import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const enoughIdle = 0.6
const patienceMs = 20_000
const lookMs = 500

/** Waits for what the case before left running, up to 20 s: a machine that is never quiet is measured as it is. */
export async function awaitQuiet(signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    const before = readTimes()
    await sleep(lookMs, undefined, { signal })
    if (idleShare(before, readTimes()) >= enoughIdle) return
  }
}

interface Times {
  readonly idle: number
  readonly all: number
}

/** Of all processors together, since the machine started. */
function readTimes(): Times {
  const times = cpus().map((each) => each.times)
  const idle = times.reduce((sum, each) => sum + each.idle, 0)
  const busy = times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, 0)
  return { idle, all: idle + busy }
}

/** 0 to 1; a system that counts nothing is idle. */
export function idleShare(before: Times, after: Times): number {
  const all = after.all - before.all
  return all === 0 ? 1 : (after.idle - before.idle) / all
}
