import type { EnvironmentSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { portsTaken } from '../ports/leases.ts'
import { assignPorts } from './assign-ports.ts'

/**
 * Writes the chosen ports down before anybody else chooses: never those of another environment, also not while that is
 * stopped. A runtime that maps nothing has this machine's ports.
 */
export async function leasePorts(
  host: HostContext,
  draft: EnvironmentRecord,
  spec: EnvironmentSpec,
): Promise<EnvironmentSpec> {
  const { mapsPorts } = (await host.provider(draft.provider)).traits
  if (!mapsPorts || spec.ports.length === 0) return spec
  return host.state.locks.holdWaiting('@ports', 'choosing ports', async () => {
    const range = { first: host.config.values['ports.first'], last: host.config.values['ports.last'] }
    const assigned = await assignPorts(spec, { range, taken: portsTaken(host.state, draft.name) })
    host.state.records.put({ ...draft, details: { ...draft.details, spec: assigned } })
    return assigned
  })
}
