import { HolmError } from '../../errors.ts'
import type { HeldPort, LeaseRequest, PortLease, PortsApi } from '../../ports-api.ts'
import type { HostContext } from '../context.ts'
import { canBind, portsOf, type PortRange } from '../environment/assign-ports.ts'
import { currentProcess, isAlive, type ProcessIdentity } from '../state/process-identity.ts'
import type { State } from '../state/index.ts'

/** A lease as it is written down: whose it is, so that a killed program's port is given away again. */
export interface LeaseRecord extends PortLease {
  readonly owner: ProcessIdentity
}

export function createPortsApi(host: HostContext): PortsApi {
  return {
    lease: (request) => takeLease(host, request),
    leases: () => livingLeases(host.state).map(({ owner: _, ...lease }) => lease),
  }
}

/** Those whose process lives; what others left is forgotten. */
export function livingLeases({ leases }: Pick<State, 'leases'>): LeaseRecord[] {
  return leases.list().filter((lease) => {
    if (isAlive(lease.owner)) return true
    leases.remove(String(lease.port))
    return false
  })
}

/** Every port that an environment has, running or not, or a living program. To be asked while `@ports` is held. */
export function portsTaken(state: State, except?: string): Set<number> {
  const records = state.records.list().filter(({ name }) => name !== except)
  return new Set([
    ...records.flatMap(({ details }) => portsOf(details.spec)),
    ...livingLeases(state).map(({ port }) => port),
  ])
}

async function takeLease(host: HostContext, request: LeaseRequest): Promise<HeldPort> {
  const { state } = host
  const { environment, container } = request
  const port = await state.locks.holdWaiting('@ports', 'choosing a port', async () => {
    const chosen = await choose(host, request, portsTaken(state))
    const since = new Date().toISOString()
    state.leases.put(String(chosen), { port: chosen, environment, container, since, owner: currentProcess() })
    return chosen
  })
  return { port, release: () => release(state, port) }
}

/** Only one's own: a port that was released late may be somebody else's by now. */
async function release(state: State, port: number): Promise<void> {
  await state.locks.holdWaiting('@ports', 'releasing a port', async () => {
    const self = currentProcess()
    const owner = state.leases.get(String(port))?.owner
    if (owner?.pid === self.pid && owner.startedAt === self.startedAt) state.leases.remove(String(port))
  })
}

async function choose(
  { config }: HostContext,
  request: LeaseRequest,
  taken: ReadonlySet<number>,
): Promise<number> {
  const isFree = async (port: number): Promise<boolean> => !taken.has(port) && (await canBind(port, address))
  if (request.port !== undefined) {
    if (await isFree(request.port)) return request.port
    throw new HolmError('HOLM_PORT_TAKEN', `port ${request.port} of this machine is already in use`, {
      hint: 'Choose another one, or none: holm takes one that is free.',
      details: { port: request.port },
    })
  }
  const range = { first: config.values['ports.first'], last: config.values['ports.last'] }
  for (const port of candidates(range, request)) if (await isFree(port)) return port
  throw new HolmError('HOLM_PORT_TAKEN', `no port from ${range.first} to ${range.last} is free`, {
    hint: 'End what is not needed, or widen the range: holm config set ports.last 39999',
    details: { container: request.container, ...range },
  })
}

const address = '127.0.0.1'

/** All of the range, from a place that the same request always begins at: a forward keeps its port unless somebody has it. */
function* candidates({ first, last }: PortRange, { environment, container }: LeaseRequest): Iterable<number> {
  const count = last - first + 1
  let start = container
  for (const letter of environment) start = (start * 31 + (letter.codePointAt(0) ?? 0)) % count
  for (let index = 0; index < count; index += 1) yield first + ((start + index) % count)
}
