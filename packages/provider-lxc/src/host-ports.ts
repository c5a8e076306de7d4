import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { HolmError } from '@holm/core'
import type { PortBinding, PortRequest } from '@holm/core'

type Wanted = Pick<PortBinding, 'host' | 'hostIp' | 'protocol'>

/** Ports of this machine for the requests: those wished for, else free ones. HOLM_PORT_TAKEN when a wished one is in use. */
export async function bindPorts(
  requests: readonly PortRequest[],
  leased: readonly Wanted[],
): Promise<PortBinding[]> {
  const bindings: PortBinding[] = []
  for (const { container, host, hostIp, protocol } of requests) {
    const isLeased = (port: number): boolean =>
      [...leased, ...bindings].some(
        (each) => each.host === port && each.protocol === protocol && meet(each.hostIp, hostIp),
      )
    const port = host ?? (await findFree({ hostIp, protocol }, isLeased))
    if (isLeased(port) || !(await isFree({ host: port, hostIp, protocol }))) throw taken(port, hostIp)
    bindings.push({ container, host: port, hostIp, protocol })
  }
  return bindings
}

function meet(one: string, other: string): boolean {
  return one === other || one === '0.0.0.0' || other === '0.0.0.0'
}

function taken(port: number, hostIp: string): HolmError {
  return new HolmError('HOLM_PORT_TAKEN', `port ${port} on ${hostIp} is in use`, {
    hint: 'Stop what listens there, or publish on another port.',
    details: { port, hostIp },
  })
}

const attempts = 50

async function findFree(where: Omit<Wanted, 'host'>, isLeased: (port: number) => boolean): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = await tryBind({ ...where, host: 0 })
    if (port !== undefined && !isLeased(port)) return port
  }
  throw new HolmError('HOLM_PORT_TAKEN', `no free port on ${where.hostIp}`, {
    hint: 'Stop something that listens.',
  })
}

export async function isFree(wanted: Wanted): Promise<boolean> {
  return (await tryBind(wanted)) !== undefined
}

/** Listens for a moment. The port, or undefined when somebody else has it. */
function tryBind({ host, hostIp, protocol }: Wanted): Promise<number | undefined> {
  return protocol === 'tcp' ? tryTcp(host, hostIp) : tryUdp(host, hostIp)
}

function tryTcp(port: number, address: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: address, exclusive: true }, () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound ? bound.port : port))
    })
  })
}

function tryUdp(port: number, address: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => resolve(undefined))
    socket.bind({ port, address, exclusive: true }, () => {
      const bound = socket.address().port
      socket.close(() => resolve(bound))
    })
  })
}
