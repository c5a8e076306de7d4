import { setTimeout as sleep } from 'node:timers/promises'
import { assertNotAborted, isHolmError } from '../../errors.ts'
import type { BaseRequest } from '../base/resolve.ts'
import type { HostContext } from '../context.ts'
import type { Operation } from '../operation.ts'

/** Fetches the image of a server that a base names, unless it is here. Waits for another holm that does. */
export async function fetchBase(
  host: HostContext,
  request: BaseRequest,
  operation: Operation,
): Promise<void> {
  const { signal, progress } = operation.context
  const missing = (): Promise<string | undefined> => host.bases.missing(request)
  if ((await missing()) === undefined) return
  await operation.step('base', async () => {
    for (;;) {
      const name = await missing()
      if (name === undefined) return
      try {
        await host.bases.import(name, name, { signal, onProgress: progress })
        return
      } catch (error) {
        if (!isHolmError(error, 'HOLM_ENVIRONMENT_BUSY')) throw error
      }
      assertNotAborted(signal)
      await sleep(200)
    }
  })
}
