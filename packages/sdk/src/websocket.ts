import { connectionLost } from './errors.ts'
import { subprotocol, tokenProtocol } from './protocol.ts'
import type { OpenTransport } from './transport.ts'

export interface WebSocketTarget {
  /** `ws://127.0.0.1:<port>`, as `holm serve` printed it. */
  readonly url: string
  readonly token: string
}

/** With the WebSocket that browsers and Node have. */
export function webSocketTransport({ url, token }: WebSocketTarget): OpenTransport {
  return (events) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, [subprotocol, `${tokenProtocol}${token}`])
      let opened = false
      socket.addEventListener('message', ({ data }) => events.message(String(data)))
      socket.addEventListener('open', () => {
        opened = true
        resolve({ send: (text) => socket.send(text), close: () => socket.close(1000) })
      })
      // `close` follows `error`, which says nothing in a browser.
      socket.addEventListener('close', ({ code, reason }) => {
        const words = reason === '' ? `code ${code}` : reason
        if (opened) events.closed(words)
        else reject(connectionLost(`${url} refused it (wrong token, origin or address, or nobody listens)`))
      })
    })
}
