/** A connection as the API sees it: whole messages, in order. */
export interface Wire {
  readonly signal: AbortSignal
  /** Unsent bytes. */
  readonly buffered: number
  send(text: string): void
  /** Resolves when little enough is unsent, or when the connection is over. */
  calm(): Promise<void>
  pause(): void
  resume(): void
  close(reason: string, code?: number): void
}

export interface WireEvents {
  message(text: string): void
}

/** Codes of WebSockets for the reasons there are. */
export const closeCodes = { going: 1001, policy: 1008, tooBig: 1009, later: 1013 } as const

/** Who waits until little is unsent. */
export function createWaiters(isCalm: () => boolean): { wait(): Promise<void>; look(): void } {
  const waiting = new Set<() => void>()
  return {
    wait() {
      if (isCalm()) return Promise.resolve()
      return new Promise((resolve) => waiting.add(resolve))
    },
    look() {
      if (!isCalm()) return
      for (const resolve of waiting) resolve()
      waiting.clear()
    },
  }
}
