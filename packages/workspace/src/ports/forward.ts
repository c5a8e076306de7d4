import { createServer, type Server, type Socket } from 'node:net'
import { HolmError, isHolmError } from '@holm/core'
import type { HeldPort, PortsApi } from '@holm/core'
import { join, type Route } from './connect.ts'

export interface ForwardRequest {
  readonly environment: string
  /** Port inside. */
  readonly inside: number
  /** Port of this machine; absent: a free one. */
  readonly here?: number | undefined
  /** Asked at each connection; undefined: there is nothing of the environment's own behind that port now. */
  readonly route: () => Promise<Route | undefined>
  /** Told why a connection could not be made. */
  readonly onError: (message: string) => void
}

export interface Forward {
  readonly inside: number
  readonly here: number
  /** Ends its connections and gives the port back. */
  close(): Promise<void>
}

/** How often a port is taken anew that somebody else was quicker to listen on. */
const tries = 5

/** Listens on 127.0.0.1 alone. HOLM_PORT_TAKEN. */
export async function openForward(ports: PortsApi, request: ForwardRequest): Promise<Forward> {
  const { environment, inside, here } = request
  for (let left = tries; ; left -= 1) {
    const held = await ports.lease({
      environment,
      container: inside,
      ...(here !== undefined && { port: here }),
    })
    try {
      return await listen(held, request)
    } catch (error) {
      await held.release()
      if (!isHolmError(error, 'HOLM_PORT_TAKEN') || left === 0) throw error
    }
  }
}

async function listen(held: HeldPort, request: ForwardRequest): Promise<Forward> {
  const clients = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    clients.add(client)
    client.once('close', () => clients.delete(client))
    serve(client, request)
  })
  await bind(server, held.port)
  return {
    inside: request.inside,
    here: held.port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const client of clients) client.destroy()
      await closed
      await held.release()
    },
  }
}

function bind(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new HolmError(
          'HOLM_PORT_TAKEN',
          `port ${port} of this machine cannot be used: ${cause.code ?? cause.message}`,
          {
            hint: 'Choose another one, or none: holm takes one that is free.',
            cause,
            details: { port },
          },
        ),
      ),
    )
    server.listen({ port, host: '127.0.0.1' }, resolve)
  })
}

/** A client that cannot be joined is told as TCP tells it: by a reset. */
function serve(client: Socket, { inside, route, onError }: ForwardRequest): void {
  client.on('error', () => undefined)
  const way = async (): Promise<void> => {
    const found = await route()
    if (found === undefined) throw new Error(`nothing of the environment listens on port ${inside} now`)
    await join(client, inside, found)
  }
  way().catch((error: unknown) => {
    client.resetAndDestroy()
    onError(error instanceof Error ? error.message : String(error))
  })
}
