import { createServer } from 'node:net'
import { createSocket } from 'node:dgram'
import { HolmError } from '@holm/core'
import type { PortRequest } from '@holm/core'
import type { RecordedPort } from './record.ts'

/** Numbers for those that name none. Lima knows no "any free port": it has to be written down before the start. */
export async function pickPorts(requests: readonly PortRequest[]): Promise<readonly RecordedPort[]> {
  const picked: RecordedPort[] = []
  for (const { container, host, hostIp, protocol } of requests) {
    const number = host ?? (await findFree({ hostIp, protocol }, picked))
    picked.push({ container, host: number, hostIp, protocol, picked: host === undefined })
  }
  return picked
}

/**
 * The ports as they can be had now: those nobody named are exchanged when something else listens there.
 * Lima only warns in a log of its own about a port that it could not get, so this is looked at before each start.
 */
export async function claimPorts(ports: readonly RecordedPort[]): Promise<readonly RecordedPort[]> {
  const claimed: RecordedPort[] = []
  for (const port of ports) {
    const failure = await tryListen(port, port.host)
    if (typeof failure !== 'string') claimed.push(port)
    else if (port.picked) claimed.push({ ...port, host: await findFree(port, claimed) })
    else throw taken(port, failure)
  }
  return claimed
}

function taken({ host, hostIp }: RecordedPort, reason: string): HolmError {
  return new HolmError('HOLM_PORT_TAKEN', `port ${host} on ${hostIp} cannot be listened on: ${reason}`, {
    hint: 'Free the port, or name another in the blueprint.',
    details: { port: host },
  })
}

type Address = Pick<PortRequest, 'hostIp' | 'protocol'>

async function findFree(address: Address, except: readonly RecordedPort[]): Promise<number> {
  for (;;) {
    const found = await tryListen(address, 0)
    if (typeof found === 'string')
      throw new HolmError('HOLM_PORT_TAKEN', `no port on ${address.hostIp} can be had: ${found}`)
    if (!except.some(({ host }) => host === found)) return found
  }
}

/** The port that was listened on for a moment, or why it could not be. */
function tryListen({ hostIp, protocol }: Address, port: number): Promise<number | string> {
  return protocol === 'udp' ? tryUdp(hostIp, port) : tryTcp(hostIp, port)
}

function tryTcp(host: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve(error.message))
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const number = typeof address === 'object' && address ? address.port : port
      server.close(() => resolve(number))
    })
  })
}

function tryUdp(address: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', (error) => resolve(error.message))
    socket.bind({ address, port, exclusive: true }, () => {
      const number = socket.address().port
      socket.close(() => resolve(number))
    })
  })
}
