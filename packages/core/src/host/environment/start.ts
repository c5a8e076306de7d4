import { HolmError } from '../../errors.ts'
import type { EnvironmentState, Provider } from '../../provider.ts'
import type { HostContext } from '../context.ts'
import type { Operation } from '../operation.ts'
import { abandonAfter } from './abandon.ts'

export interface StartInput {
  readonly name: string
  readonly operation: Operation
}

/** Starts within the deadline of the configuration; what it waited for is the runtime. */
export async function startWithin(
  host: HostContext,
  provider: Provider,
  { name, operation }: StartInput,
): Promise<EnvironmentState> {
  const timeoutMs = host.config.values['up.startTimeout']
  const controller = new AbortController()
  const timer = setTimeout(() => {
    const message = `${provider.id} did not start ${name} within ${timeoutMs / 1000} s`
    const hint = 'See what the runtime says, or allow more time: holm config set up.startTimeout 15m'
    controller.abort(new HolmError('HOLM_TIMEOUT', message, { hint, details: { name, timeoutMs } }))
  }, timeoutMs)
  const signal = AbortSignal.any([operation.signal, controller.signal])
  try {
    return await operation.step('start', () =>
      abandonAfter(provider.start(name, { ...operation.context, signal }), signal),
    )
  } finally {
    clearTimeout(timer)
  }
}
