import { abortError } from '../../errors.ts'

/** How long a runtime may take to react to an abort, or to answer a clean-up, milliseconds. */
export const reactionMs = 10_000

/**
 * The work's own end, unless its signal fired and it has still not ended `graceMs` later: then the error of the signal. A
 * runtime that is frozen keeps no promise, and must not keep the user.
 */
export async function abandonAfter<T>(
  work: Promise<T>,
  signal: AbortSignal,
  graceMs: number = reactionMs,
): Promise<T> {
  const { promise: abandoned, reject } = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    timer = setTimeout(() => reject(abortError(signal)), graceMs)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, abandoned])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
