import { readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { createClient, type ClientOptions, type HolmClient } from './client.ts'
import { connectionLost, remoteError, type HolmRemoteError } from './errors.ts'
import type { Incoming } from './protocol.ts'
import type { OpenTransport } from './transport.ts'

export interface SocketTarget {
  /** Path of the unix socket, as `holm serve` printed it. */
  readonly socket: string
  /** The token, or the file that it is in. */
  readonly token?: string
  readonly tokenFile?: string
}

/** Connects over the unix socket of this machine. */
export function connectSocket(target: SocketTarget & ClientOptions): Promise<HolmClient> {
  const { socket, token, tokenFile, ...options } = target
  return createClient(
    socketTransport({
      socket,
      ...(token !== undefined && { token }),
      ...(tokenFile !== undefined && { tokenFile }),
    }),
    options,
  )
}

/** A message a line; the first shows the token. The file is read again for every connection. */
export function socketTransport({ socket: path, token, tokenFile }: SocketTarget): OpenTransport {
  return async (events) => {
    const shown = token ?? (tokenFile === undefined ? '' : (await readFile(tokenFile, 'utf8')).trim())
    return new Promise((resolve, reject) => {
      const socket = createConnection(path)
      const send = (text: string): void => void socket.write(`${text}\n`)
      let open = false
      const take = (line: string): void => {
        if (open) return events.message(line)
        const refused = readRefusal(line)
        if (refused) {
          reject(refused)
          socket.destroy()
          return
        }
        open = true
        resolve({ send, close: () => void socket.end() })
      }
      let rest = ''
      socket.setEncoding('utf8')
      socket.on('connect', () => send(JSON.stringify(greeting(shown))))
      socket.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) take(line)
      })
      let reason = 'the server closed it'
      socket.on('error', (cause) => {
        reason = cause.message
        reject(connectionLost(cause.message, cause))
      })
      socket.on('close', () => {
        if (open) events.closed(reason)
        reject(connectionLost(reason))
      })
    })
  }
}

function greeting(token: string): object {
  return { jsonrpc: '2.0', id: 0, method: 'session.authenticate', params: { token } }
}

function readRefusal(line: string): HolmRemoteError | undefined {
  const { error } = JSON.parse(line) as Incoming
  return error && remoteError(error)
}
