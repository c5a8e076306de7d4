import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { HolmError } from '@holm/core'
import type { Waker } from '../pause/waker.ts'
import { environmentOf, parseHost, type ProxyName } from './names.ts'

export interface ProxyOptions {
  /** 0: a free one. */
  readonly port: number
  /** Asked again when it is older than a moment. */
  readonly names: () => Promise<readonly ProxyName[]>
  /** Asked when nothing has the name: its environment may sleep. */
  readonly wake: Waker
  readonly signal: AbortSignal
}

export interface RunningProxy {
  readonly port: number
  /** Resolves when it has ended, by its signal. */
  readonly ended: Promise<void>
}

/** How long an answer about the names holds, milliseconds. */
const freshMs = 1000

/** Passes requests and WebSockets on by the name they ask for. Listens on this machine alone. HOLM_PORT_TAKEN. */
export async function startProxy({ port, names, wake, signal }: ProxyOptions): Promise<RunningProxy> {
  const { createProxyServer } = await import('httpxy')
  const proxy = createProxyServer({ xfwd: true })
  proxy.on('error', (error, _request, answer) => refuse(answer, 502, `it does not answer: ${error.message}`))
  const known = remember(names)
  const find = (request: IncomingMessage): Promise<Found> => route(request, known, wake)
  const server = createServer((request, response) => {
    void find(request).then(
      ({ target, all }) =>
        target === undefined
          ? refuse(response, 404, describe(request, all))
          : void proxy
              .web(request, response, { target })
              .catch((error: unknown) => refuse(response, 502, String(error))),
      (error: unknown) => refuse(response, 502, String(error)),
    )
  })
  server.on('upgrade', (request, socket, head) => {
    void find(request).then(
      ({ target }) =>
        target === undefined
          ? socket.destroy()
          : void proxy.ws(request, socket as never, { target }, head).catch(() => socket.destroy()),
      () => socket.destroy(),
    )
  })
  await listen(server, port)
  signal.addEventListener('abort', () => end(server), { once: true })
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()))
  if (signal.aborted) end(server)
  return { port: (server.address() as AddressInfo).port, ended }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new HolmError(
          'HOLM_PORT_TAKEN',
          `port ${port} of this machine cannot be used: ${cause.code ?? cause.message}`,
          {
            hint: 'Choose another one: holm proxy --port 7900',
            cause,
            details: { port },
          },
        ),
      )
    })
    server.listen({ port, host: '127.0.0.1' }, resolve)
  })
}

function end(server: Server): void {
  server.close()
  server.closeAllConnections()
}

/** The names as they were a moment ago, unless they have to be those of now. */
type Known = (now?: 'now') => ReturnType<ProxyOptions['names']>

function remember(names: ProxyOptions['names']): Known {
  let asked = -Infinity
  let answer: ReturnType<typeof names> | undefined
  return (now) => {
    if (answer === undefined || now || performance.now() - asked > freshMs) {
      asked = performance.now()
      answer = names()
    }
    return answer
  }
}

interface Found {
  readonly target: string | undefined
  readonly all: readonly ProxyName[]
}

async function route(request: IncomingMessage, known: Known, wake: Waker): Promise<Found> {
  const host = parseHost(request.headers.host)
  const find = (all: readonly ProxyName[]): Found => ({
    target: all.find((name) => name.host === host)?.target,
    all,
  })
  const environment = environmentOf(host)
  // First: what sleeps has a name for another moment, behind which nothing would answer.
  const woken = environment !== undefined && (await wake(environment))
  return find(await known(woken ? 'now' : undefined))
}

function describe({ headers }: IncomingMessage, all: readonly ProxyName[]): string {
  const port = /:\d+$/.exec(headers.host ?? '')?.[0] ?? ''
  const lines = all.map(({ host }) => `  http://${host}${port}`)
  return [
    `nothing is called ${parseHost(headers.host)}`,
    ...(lines.length === 0 ? [] : ['There are:', ...lines]),
  ].join('\n')
}

/** Plain text: what a stranger put into the name is shown, and must not be run. */
function refuse(answer: ServerResponse | Duplex | undefined, status: number, text: string): void {
  if (answer === undefined) return
  if (!('writeHead' in answer) || answer.headersSent) return void answer.destroy()
  answer.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
  })
  answer.end(`holm: ${text}\n`)
}
