import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError } from '@holm/core'

const defaultDeadlineMs = 45_000

export interface WaitOptions {
  /** What is waited for; the error names it. */
  readonly what: string
  /** Default 45 s: below the deadline of a check, so that what did not come is named. */
  readonly deadlineMs?: number
  readonly intervalMs?: number
}

/** Asks until the answer is neither false nor undefined, and returns it. HOLM_TIMEOUT names what did not come. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what, deadlineMs = defaultDeadlineMs, intervalMs = 20 }: WaitOptions,
): Promise<Exclude<T, false | undefined>> {
  const until = performance.now() + deadlineMs
  for (;;) {
    const answer = await condition()
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>
    if (performance.now() >= until) throw timeout(what, deadlineMs)
    await sleep(intervalMs)
  }
}

/** The promise's value, or HOLM_TIMEOUT naming what was waited for. */
export async function within<T>(
  promise: Promise<T>,
  { what, deadlineMs = defaultDeadlineMs }: WaitOptions,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(timeout(what, deadlineMs)), deadlineMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function timeout(what: string, deadlineMs: number): HolmError {
  return new HolmError('HOLM_TIMEOUT', `waited ${deadlineMs / 1000} s in vain: ${what}`)
}
