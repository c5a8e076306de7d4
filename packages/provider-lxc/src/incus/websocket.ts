import { connect } from 'node:net'
import type WebSocket from 'ws'
import { HolmError } from '@holm/core'

const deadlineMs = 10_000

/** A websocket of the daemon. Paused: nothing that arrives early is lost. */
export async function openWebSocket(socket: string, path: string): Promise<WebSocket> {
  const { default: Client } = await import('ws')
  const client = new Client(`ws://holm${path}`, {
    // A path of a socket may hold anything, which an address may not.
    createConnection: () => connect(socket),
    perMessageDeflate: false,
    handshakeTimeout: deadlineMs,
  })
  client.binaryType = 'nodebuffer'
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>()
  client.on('open', () => {
    client.pause()
    resolve(client)
  })
  client.on('error', (error) =>
    reject(
      new HolmError('HOLM_ENVIRONMENT_FAILED', `the daemon refused a stream: ${error.message}`, {
        cause: error,
      }),
    ),
  )
  return promise
}
