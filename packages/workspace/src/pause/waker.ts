import type { IdleApi } from '@holm/core'

/** Wakes an environment that sleeps, and says whether it did. Whoever comes meanwhile waits for the same. */
export type Waker = (environment: string) => Promise<boolean>

export function createWaker(idle: Pick<IdleApi, 'uses' | 'wake'>, signal: AbortSignal): Waker {
  const waking = new Map<string, Promise<void>>()
  return async (environment) => {
    const running = waking.get(environment)
    if (running === undefined && idle.uses(environment)?.asleep !== true) return false
    const wake = running ?? idle.wake(environment, { signal }).finally(() => void waking.delete(environment))
    waking.set(environment, wake)
    await wake
    return true
  }
}
