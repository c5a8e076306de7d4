import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import type { Operation } from '../operation.ts'
import { probeContainerEnv, probeUserEnv } from '../provision/index.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { insideAsUser } from './lifecycle.ts'

type Variables = Readonly<Record<string, string>>

export interface FoundIn {
  readonly host: HostContext
  readonly record: EnvironmentRecord
  readonly provider: Provider
  readonly operation: Operation
}

/**
 * Variables of the shell that commands run with: asked for when something is first run as the user, and kept from then
 * on. `up` without a command of its own does not wait for a shell that nobody uses yet.
 */
export async function knownUserEnv({ host, record, provider, operation }: FoundIn): Promise<Variables> {
  const { spec, userEnv } = record.details
  if (userEnv !== undefined || spec === undefined) return userEnv ?? {}
  if (spec.exec.probe === 'none' && !refersToContainer(spec)) return {}
  const asked = await askUserEnv({ provider, operation, spec })
  // Read again: what another holm made of the environment meanwhile is not ours to undo.
  const now = host.state.records.get(record.name)
  if (now !== undefined && now.createdAt === record.createdAt)
    host.state.records.put({ ...now, details: { ...now.details, userEnv: asked } })
  return asked
}

export interface AskUserEnv {
  readonly provider: Provider
  readonly operation: Operation
  readonly spec: EnvironmentSpec
}

/** What the user's shell sets, and the environment's own variables where the blueprint builds on them. */
export async function askUserEnv({ provider, operation, spec }: AskUserEnv): Promise<Variables> {
  // What the blueprint adds for commands may build on what is asked for here, so it must not stand in the way.
  const bare = { ...spec, exec: { ...spec.exec, env: {} } }
  const inside = insideAsUser({ provider, operation, spec: bare, userEnv: {}, secrets: {} })
  const options = { reporter: operation, signal: operation.signal }
  const own = refersToContainer(spec) ? await probeContainerEnv(inside, options) : {}
  return { ...own, ...(await probeUserEnv(spec.exec.probe, inside, options)) }
}

/** Does a variable build on one of the environment's own, such as "${containerEnv:PATH}"? */
function refersToContainer({ exec }: EnvironmentSpec): boolean {
  return Object.values(exec.env).some((value) => value?.includes('${containerEnv:') === true)
}
