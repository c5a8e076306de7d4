import { rmSync } from 'node:fs'
import { createServer as createHttpServer, STATUS_CODES, type IncomingMessage } from 'node:http'
import { createServer as createLineServer, type AddressInfo, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { rpcErrors } from '@holm/sdk'
import { chooseProtocol, judge, type Refusal } from './admission.ts'
import { serveConnection, type Connection, type ConnectionOptions } from './connection.ts'
import { listenPort, listenSocket } from './listen.ts'
import type { Backend } from './session.ts'
import { isToken, type Token } from './token.ts'
import { lineWire } from './wire-lines.ts'
import { webSocketWire } from './wire-websocket.ts'

export interface ServerOptions {
  readonly backend: Backend
  readonly token: Token
  readonly origins: readonly string[]
  /** 0: a free one. Undefined: no WebSocket. */
  readonly port: number | undefined
  /** Undefined: no unix socket. */
  readonly socket: string | undefined
}

export interface RunningServer {
  /** Undefined without a WebSocket. */
  readonly url: string | undefined
  readonly socket: string | undefined
  /** Ends every program that was started over it, tells everybody, and stops listening. */
  close(reason: string): Promise<void>
}

/** Both ways in, or none: what failed to listen leaves nothing. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const connections = createConnections(options.backend)
  const doors: Door[] = []
  try {
    if (options.socket !== undefined) doors.push(await openSocket(options, options.socket, connections))
    if (options.port !== undefined) doors.push(await openPort(options, options.port, connections))
  } catch (error) {
    for (const door of doors) door.close()
    throw error
  }
  return {
    url: doors.find(({ url }) => url !== undefined)?.url,
    socket: options.socket,
    async close(reason) {
      // Nobody new, then those who are here.
      for (const door of doors) door.stop()
      await connections.end(reason)
      for (const door of doors) door.close()
    },
  }
}

const tooMany = JSON.stringify({
  jsonrpc: '2.0',
  id: null,
  error: {
    code: rpcErrors.limit.code,
    message: 'there are too many connections',
    data: { code: 'HOLM_LIMIT_REACHED', hint: 'Close one of them.' },
  },
})

/** Of those who have not shown a token yet, too. */
const strangers = 16

interface Door {
  readonly url?: string
  /** Takes no more connections. */
  stop(): void
  close(): void
}

interface Connections {
  readonly isFull: boolean
  serve(options: Omit<ConnectionOptions, 'backend'>): void
  end(reason: string): Promise<void>
}

function createConnections(backend: Backend): Connections {
  const all = new Set<Connection>()
  return {
    get isFull() {
      return all.size >= backend.limits.connections
    },
    serve(options) {
      const connection = serveConnection({ ...options, backend })
      all.add(connection)
      void connection.over.finally(() => all.delete(connection))
    },
    async end(reason) {
      await Promise.all([...all].map((connection) => connection.end(reason)))
    },
  }
}

async function openSocket(
  { backend, token }: ServerOptions,
  path: string,
  connections: Connections,
): Promise<Door> {
  const server = createLineServer((socket) => {
    if (connections.isFull) return void socket.on('error', () => undefined).end(`${tooMany}\n`)
    return connections.serve({
      authenticate: (shown) => isToken(shown, token),
      open: (events) => lineWire(socket, backend.limits, events),
    })
  })
  server.maxConnections = backend.limits.connections + strangers
  await listenSocket(server, path)
  return { stop: () => server.close(), close: () => rmSync(path, { force: true }) }
}

async function openPort(options: ServerOptions, wanted: number, connections: Connections): Promise<Door> {
  const { backend, token, origins } = options
  const { WebSocketServer } = await import('ws')
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: backend.limits.messageBytes,
    perMessageDeflate: false,
    handleProtocols: chooseProtocol,
  })
  const server = createHttpServer({ headersTimeout: 10_000 }, (request, response) => {
    const { status, reason } = judgeAll(request) ?? { status: 426, reason: 'this is a WebSocket' }
    response.writeHead(status, { ...plain, ...(status === 426 && { upgrade: 'websocket' }) })
    response.end(`holm: ${reason}\n`)
  })
  const judgeAll = (request: IncomingMessage): Refusal | undefined =>
    judge(request, { token, origins, port: portOf(server) }) ??
    (connections.isFull ? { status: 503, reason: 'there are too many connections' } : undefined)
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy())
    const refusal = judgeAll(request)
    if (refusal) return refuse(stream, refusal)
    sockets.handleUpgrade(request, stream, head, (socket) =>
      connections.serve({ open: (events) => webSocketWire(socket, backend.limits, events) }),
    )
  })
  server.maxConnections = backend.limits.connections + strangers
  await listenPort(server, wanted)
  return {
    url: `ws://127.0.0.1:${portOf(server)}`,
    stop: () => server.close(),
    close: () => server.closeAllConnections(),
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo | null)?.port ?? 0
}

/** Plain text: what a stranger put into a header is shown, and must not be run. */
const plain = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }

function refuse(stream: Duplex, { status, reason }: Refusal): void {
  const body = `holm: ${reason}\n`
  const headers = { ...plain, connection: 'close', 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`)
}
