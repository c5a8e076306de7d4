export interface ReconnectOptions {
  /** Milliseconds before the first attempt; each next one takes twice as long. Default 250. */
  readonly firstDelayMs?: number
  /** Default 10,000. */
  readonly maximumDelayMs?: number
  /** After so many in a row it is given up. Default: never. */
  readonly attempts?: number
}

/** With up to a quarter less by chance, so that many clients do not come back at once. */
export function nextDelay(
  attempt: number,
  { firstDelayMs = 250, maximumDelayMs = 10_000 }: ReconnectOptions,
  random: () => number = Math.random,
): number {
  const whole = Math.min(maximumDelayMs, firstDelayMs * 2 ** Math.min(attempt, 30))
  return whole - (whole / 4) * random()
}

/** Resolves early when the signal fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
}
