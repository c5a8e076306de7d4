import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ProviderContext } from '@holm/core'

/** Asks every 100 ms until the answer is true. HOLM_TIMEOUT names what did not come. */
export async function waitUntil(
  condition: () => Promise<boolean>,
  { what, deadlineMs = 30_000 }: { readonly what: string; readonly deadlineMs?: number },
  ctx: ProviderContext,
): Promise<void> {
  const until = performance.now() + deadlineMs
  while (!(await condition())) {
    assertNotAborted(ctx.signal)
    if (performance.now() >= until)
      throw new HolmError('HOLM_TIMEOUT', `waited ${deadlineMs / 1000} s for ${what}`, {
        hint: 'Run `wsl --list --verbose` to see what WSL is doing.',
      })
    await sleep(100)
  }
}

/** For what must be tidied up although the caller has gone: a signal of its own. */
export function tidyContext(ctx: ProviderContext): ProviderContext {
  return { ...ctx, signal: AbortSignal.timeout(120_000) }
}
