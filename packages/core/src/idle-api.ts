import type { CallOptions, EnvironmentInfo } from './host-api.ts'

/** How an environment that is watched was used. */
export interface Uses {
  /** Milliseconds since 1970 of the last use that began or ended. */
  readonly lastAt: number
  /** Programs that were started from outside and still run. */
  readonly sessions: number
  /** It was put to sleep: the next use wakes it. */
  readonly asleep: boolean
}

/** Environments that nobody uses are put to sleep by whoever has the clock; every `exec` wakes them. */
export interface IdleApi {
  /** From now on uses are counted. Can be repeated. */
  watch(name: string): void
  /** Undefined for one that is not watched. */
  uses(name: string): Uses | undefined
  /**
   * Pauses it, or stops it where its provider cannot pause. Nothing is done, and undefined returned, when it does not run, is not
   * watched, or was used after `unusedSince` (milliseconds since 1970).
   */
  sleep(
    name: string,
    options: CallOptions & { readonly unusedSince: number },
  ): Promise<EnvironmentInfo | undefined>
  /** Brings back one that sleeps; leaves every other as it is. */
  wake(name: string, options?: CallOptions): Promise<void>
  /** Uses are counted no longer; one that sleeps goes on until it is started. */
  forget(name: string): void
}
