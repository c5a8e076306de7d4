import type { Provider } from '../../provider.ts'
import type { HostContext } from '../context.ts'
import { ask } from '../environment/ask.ts'
import { recordFromLabels } from '../environment/labels.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'

/** What belongs to an environment, as holm wrote it down. */
export function companionRecords(host: HostContext, environment: string): EnvironmentRecord[] {
  return host.state.records.list().filter(({ details }) => details.partOf?.environment === environment)
}

export interface Owner {
  readonly name: string
  readonly provider: Provider
  readonly operation: Operation
}

/** The same, with what only the runtime still knows of: for an environment whose own record tells nothing. */
export async function findCompanions(
  host: HostContext,
  { name, provider, operation }: Owner,
): Promise<readonly EnvironmentRecord[]> {
  const written = companionRecords(host, name)
  if (provider.traits.companions !== true) return written
  const states = await ask(provider, operation, (context) => provider.list(context))
  const known = new Set(written.map((record) => record.name))
  const found = states
    .filter((state) => !known.has(state.name))
    .map((state) => recordFromLabels(host.namespace, state))
    .filter(({ details }) => details.partOf?.environment === name)
  return [...written, ...found]
}
