import { setTimeout } from 'node:timers/promises'
import { isHolmError } from '../../errors.ts'
import type { CallOptions, EnvironmentInfo } from '../../host-api.ts'
import type { IdleApi } from '../../idle-api.ts'
import type { HostContext } from '../context.ts'
import { inspect } from './ask.ts'
import { infoOf } from './info.ts'
import { findEnvironment, startEnvironment, stopEnvironment, type Found } from './manage.ts'
import { forgetUses, isAsleep, markAsleep, usesOf, watchUses } from './uses.ts'

export function createIdleApi(host: HostContext): IdleApi {
  return {
    watch: (name) => watchUses(host, name),
    uses: (name) => usesOf(host, name),
    sleep: (name, options) => sleep(host, name, options),
    wake: (name, options = {}) => wake(host, name, options),
    forget: (name) => forgetUses(host, name),
  }
}

async function sleep(
  host: HostContext,
  name: string,
  { unusedSince, ...call }: CallOptions & { readonly unusedSince: number },
): Promise<EnvironmentInfo | undefined> {
  const found = await findEnvironment(host, name, call)
  if (!isUnused(host, name, unusedSince)) return undefined
  const info = found.provider.pause
    ? await pause(host, found, unusedSince)
    : await stopUnused(host, found, unusedSince)
  // Somebody began to use it while it fell asleep.
  if (info !== undefined && (usesOf(host, name)?.sessions ?? 0) > 0) await wake(host, name, call)
  return info
}

function isUnused(host: HostContext, name: string, since: number): boolean {
  const uses = usesOf(host, name)
  return uses !== undefined && uses.sessions === 0 && uses.lastAt <= since
}

async function pause(
  host: HostContext,
  { record, provider, operation }: Found,
  since: number,
): Promise<EnvironmentInfo | undefined> {
  return host.state.locks.hold(record.name, 'sleep', async () => {
    const before = await inspect(provider, record.name, operation)
    if (before.status !== 'running' || !provider.pause || !isUnused(host, record.name, since))
      return undefined
    // Before it is done: whoever comes now waits for the lock, and wakes it.
    markAsleep(host, record.name, true)
    try {
      const { pause: facet } = provider
      const state = await operation.step('pause', () => facet.pause(record.name, operation.context))
      operation.emit({ type: 'state', environment: record.name, status: state.status, message: 'unused' })
      return infoOf(state, record)
    } catch (error) {
      markAsleep(host, record.name, false)
      throw error
    }
  })
}

async function stopUnused(
  host: HostContext,
  { record, provider, operation }: Found,
  since: number,
): Promise<EnvironmentInfo | undefined> {
  const before = await inspect(provider, record.name, operation)
  if (before.status !== 'running' || !isUnused(host, record.name, since)) return undefined
  const info = await stopEnvironment(host, record.name, { signal: operation.signal })
  markAsleep(host, record.name, true)
  return info
}

const patienceMs = 60_000
const pollMs = 20

/** Waits for whoever puts it to sleep, or wakes it, just now. */
export async function wake(host: HostContext, name: string, options: CallOptions): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (isAsleep(host, name)) {
    try {
      await startEnvironment(host, name, options)
      return
    } catch (error) {
      if (!isHolmError(error, 'HOLM_ENVIRONMENT_BUSY') || Date.now() > deadline) throw error
      await setTimeout(pollMs, undefined, { ...(options.signal && { signal: options.signal }) })
    }
  }
}
