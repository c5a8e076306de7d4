import type { Served } from '../../hooks.ts'
import type { EnvironmentState } from '../../provider.ts'
import { lazyCompanions } from '../companions/lazy.ts'
import type { HostContext } from '../context.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { execIn } from './exec.ts'
import { infoOf } from './info.ts'

export interface ServeInput {
  readonly record: EnvironmentRecord
  readonly state: EnvironmentState
  readonly operation: Operation
}

/** What a plugin that runs services is given; undefined for an environment without any. */
export function servedOf(host: HostContext, input: ServeInput): Served | undefined {
  const served = wayInto(host, input)
  return served.environment.services.length === 0 ? undefined : served
}

function wayInto(host: HostContext, { record, state, operation }: ServeInput): Served {
  const { signal } = operation
  return {
    environment: infoOf(state, record),
    signal,
    exec: (request) => execIn(host, { ...request, environment: record.name, signal }),
    companions: lazyCompanions(async () => {
      const { createCompanions } = await import('../companions/index.ts')
      return createCompanions(host, record.name, operation)
    }),
    step: (name, work) => operation.step(name, work),
  }
}

/** Starts the services of a running environment that has any: nothing is loaded for one that has none. */
export async function serve(host: HostContext, input: ServeInput): Promise<void> {
  const served = servedOf(host, input)
  if (served === undefined) return
  await host.registry.loadForHooks(['beforeReady'])
  await host.hooks.before('beforeReady', served)
}

/** Lets the caller of `up` bring the files of the project, where it said that it would. */
export async function awaitFiles(host: HostContext, input: ServeInput): Promise<void> {
  if (input.record.details.overlay?.bringsFiles !== true) return
  await host.registry.loadForHooks(['beforeLifecycle'])
  await host.hooks.before('beforeLifecycle', wayInto(host, input))
}
