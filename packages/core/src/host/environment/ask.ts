import { HolmError } from '../../errors.ts'
import type { EnvironmentState, Provider, ProviderContext } from '../../provider.ts'
import type { Operation } from '../operation.ts'
import { abandonAfter } from './abandon.ts'

/** How long a runtime may take to say what it has, milliseconds. */
const answerMs = 15_000

/** A question that changes nothing. A runtime that is frozen gives no answer, and must not keep the user: HOLM_TIMEOUT. */
export async function ask<T>(
  provider: Provider,
  operation: Operation,
  question: (context: ProviderContext) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const timer = setTimeout(() => {
    const message = `${provider.id} did not answer within ${answerMs / 1000} s`
    const hint = `See what is wrong with it: holm provider show ${provider.id}`
    controller.abort(new HolmError('HOLM_TIMEOUT', message, { hint, details: { timeoutMs: answerMs } }))
  }, answerMs)
  const signal = AbortSignal.any([operation.signal, controller.signal])
  try {
    return await abandonAfter(question({ ...operation.context, signal }), signal, 0)
  } finally {
    clearTimeout(timer)
  }
}

export function inspect(provider: Provider, name: string, operation: Operation): Promise<EnvironmentState> {
  return ask(provider, operation, (context) => provider.inspect(name, context))
}
