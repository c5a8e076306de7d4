import { createServer } from 'node:net'
import { HolmError } from '@holm/core'
import type { PortBinding, PortRequest } from '@holm/core'

/** Ports of this machine for what was asked. The fake forwards nothing; a port that is in use is refused as a real one would. */
export async function bindPorts(requests: readonly PortRequest[]): Promise<PortBinding[]> {
  const bound: PortBinding[] = []
  for (const { container, host, hostIp, protocol } of requests) {
    const taken = await tryPort(host ?? 0, hostIp)
    bound.push({ container, host: taken, hostIp, protocol })
  }
  return bound
}

function tryPort(port: number, hostIp: string): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new HolmError('HOLM_PORT_TAKEN', `port ${port} of ${hostIp} is in use`, {
          hint: 'Choose another port.',
          cause,
          details: { port, hostIp },
        }),
      )
    })
    server.listen({ port, host: hostIp, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}
