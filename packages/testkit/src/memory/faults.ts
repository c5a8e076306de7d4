import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, abortError, assertNotAborted } from '@holm/core'
import type { ErrorCode, ProviderContext } from '@holm/core'

/** What a programmed fault does to the next calls of a method. All but `Error` are JSON-safe, for a plugin's configuration. */
export type Fault =
  | Error
  | { readonly code: ErrorCode; readonly message?: string; readonly hint?: string }
  | { readonly delayMs: number }
  | 'hang-until-abort'

/** Method (`create`, `exec`, `snapshots.create`, …) to fault. Mutable: a test changes it while it runs. */
export type Faults = Record<string, Fault | undefined>

/** One call that arrived, in order. */
export interface MemoryCall {
  readonly method: string
  /** Environment; absent for probe and list. */
  readonly name?: string
}

/** Waits or throws what was programmed. An abort ends every wait with HOLM_INTERRUPTED. */
export async function applyFault(fault: Fault | undefined, ctx: ProviderContext): Promise<void> {
  assertNotAborted(ctx.signal)
  if (fault === undefined) return
  if (fault instanceof Error) throw fault
  if (fault === 'hang-until-abort') return hangUntilAbort(ctx.signal)
  if ('delayMs' in fault) return waitFor(fault.delayMs, ctx.signal)
  throw new HolmError(
    fault.code,
    fault.message ?? 'programmed fault of the memory provider',
    fault.hint === undefined ? {} : { hint: fault.hint },
  )
}

/** Sleeps; an abort ends it with HOLM_INTERRUPTED. */
export async function waitFor(delayMs: number, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0) return
  try {
    await sleep(delayMs, undefined, { signal })
  } catch {
    throw abortError(signal)
  }
}

function hangUntilAbort(signal: AbortSignal): Promise<never> {
  // The timer keeps the process alive: a pending promise alone would let node end.
  const keepAlive = setInterval(() => undefined, 60_000)
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => {
      clearInterval(keepAlive)
      reject(abortError(signal))
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
