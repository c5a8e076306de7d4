import type { AsyncLocalStorage } from 'node:async_hooks'
// In the bundle a getter of a module of Node's is reached through its default export only.
import asyncHooks from 'node:async_hooks'
import { HolmError } from '../../errors.ts'

let running: AsyncLocalStorage<string> | undefined

/** Runs code of a plugin so that what it throws later, from a timer or a promise nobody waits for, is known to be its. */
export function runAs<T>(plugin: string, work: () => T): T {
  running ??= new asyncHooks.AsyncLocalStorage<string>()
  return running.run(plugin, work)
}

/**
 * The error for what nobody could catch. To be called in the handler of 'uncaughtException' or 'unhandledRejection' itself:
 * there Node still knows on whose behalf the code ran.
 */
export function escapedError(cause: unknown): HolmError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const plugin = running?.getStore()
  if (plugin === undefined)
    return new HolmError('HOLM_BUG', `something failed outside of any command: ${reason}`, {
      cause,
      hint: 'Try again without the plugins of the configuration; if it stays, report it.',
    })
  return new HolmError('HOLM_PLUGIN_CRASH', `plugin ${plugin} failed outside of any call: ${reason}`, {
    plugin,
    cause,
    hint: `Fix or remove the plugin ${plugin}.`,
  })
}
