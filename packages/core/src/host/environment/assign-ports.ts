import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { HolmError } from '../../errors.ts'
import type { EnvironmentSpec, PortRequest } from '../../spec.ts'

export interface PortRange {
  readonly first: number
  readonly last: number
}

export interface AssignPortsInput {
  readonly range: PortRange
  /** What others have, those that are stopped included: it is not given away. */
  readonly taken: Iterable<number>
  /** Absent: asks the system by binding. */
  readonly isFree?: (port: number, address: string) => Promise<boolean>
}

/**
 * Gives a port of this machine to every request that names none, so that it stays the same across restarts. The range lies
 * among the ports that the system hands out to outgoing connections: each candidate is tried by binding it.
 */
export async function assignPorts(spec: EnvironmentSpec, input: AssignPortsInput): Promise<EnvironmentSpec> {
  if (spec.ports.every((port) => port.host !== undefined)) return spec
  const taken = new Set([...portsOf(spec), ...input.taken])
  const ports: PortRequest[] = []
  for (const port of spec.ports)
    ports.push(port.host === undefined ? { ...port, host: await takePort(port, taken, input) } : port)
  return { ...spec, ports }
}

/** Those of this machine that it names. */
export function portsOf(spec: EnvironmentSpec | undefined): number[] {
  return (spec?.ports ?? []).flatMap(({ host }) => (host === undefined ? [] : [host]))
}

async function takePort(
  request: PortRequest,
  taken: Set<number>,
  { range, isFree = canBind }: AssignPortsInput,
): Promise<number> {
  for (let port = range.first; port <= range.last; port += 1) {
    if (taken.has(port) || !(await isFree(port, request.hostIp))) continue
    taken.add(port)
    return port
  }
  throw new HolmError(
    'HOLM_PORT_TAKEN',
    `no port from ${range.first} to ${range.last} is free for port ${request.container}`,
    {
      hint: 'Destroy what is not needed, or widen the range: holm config set ports.last 39999',
      details: { container: request.container, ...range },
    },
  )
}

/** Whether nobody listens there. */
export function canBind(port: number, host: string): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** How often, and at most how many milliseconds apart, a port is tried that another holm may be trying just now. */
const tries = { count: 10, apart: 50 }

/** Whether the port can be bound: one that cannot is asked for again, as two who try it at the same moment both fail. */
async function canBindSoon(port: number, host: string): Promise<boolean> {
  for (let left = tries.count; left > 0; left -= 1) {
    if (await canBind(port, host)) return true
    await setTimeout(Math.random() * tries.apart)
  }
  return false
}

/** HOLM_PORT_TAKEN unless every port that will listen on this machine as it is can still be bound. */
export async function assertPortsFree(
  spec: EnvironmentSpec,
  isFree: (port: number, address: string) => Promise<boolean> = canBindSoon,
): Promise<void> {
  for (const { host, container, hostIp, protocol } of spec.ports) {
    const port = host ?? container
    if (protocol === 'udp' || (await isFree(port, hostIp))) continue
    throw new HolmError('HOLM_PORT_TAKEN', `port ${port} of this machine is already in use`, {
      hint: `End what listens on ${hostIp}:${port}, or choose another port in the blueprint.`,
      details: { port, hostIp },
    })
  }
}
