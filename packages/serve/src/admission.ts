import type { IncomingHttpHeaders } from 'node:http'
import { subprotocol, tokenProtocol } from '@holm/sdk'
import { isToken, type Token } from './token.ts'

export interface Admission {
  readonly token: Token
  /** Of this server. */
  readonly port: number
  readonly origins: readonly string[]
}

export interface Refusal {
  readonly status: number
  readonly reason: string
}

/**
 * Why a request for a WebSocket is refused, or undefined. The name it asks for must be one of this machine's own: a page whose name
 * was made to lead here cannot say so. A page's origin must be allowed; a program has none.
 */
export function judge(
  { url, headers }: { readonly url?: string | undefined; readonly headers: IncomingHttpHeaders },
  { token, port, origins }: Admission,
): Refusal | undefined {
  const names = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`)
  if (!names.includes(headers.host?.toLowerCase() ?? ''))
    return { status: 403, reason: 'the Host header does not name this machine' }
  const { origin } = headers
  if (origin !== undefined && !origins.includes(origin))
    return { status: 403, reason: `the origin is not allowed: holm serve --origin ${printable(origin)}` }
  if (url !== '/')
    return { status: 404, reason: 'there is only /, without a query: a token never goes into an address' }
  return isAdmitted(headers, token)
    ? undefined
    : { status: 401, reason: 'the token is missing or wrong: Authorization: Bearer <token>' }
}

/** Each place that a token was put in must hold the right one. */
function isAdmitted(headers: IncomingHttpHeaders, token: Token): boolean {
  const shown = [bearerOf(headers.authorization), ...tokensOf(headers['sec-websocket-protocol'])].filter(
    (each) => each !== undefined,
  )
  return shown.length > 0 && shown.every((each) => isToken(each, token))
}

function bearerOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '')
}

function tokensOf(header: string | undefined): string[] {
  return protocolsOf(header)
    .filter((name) => name.startsWith(tokenProtocol))
    .map((name) => name.slice(tokenProtocol.length))
}

function protocolsOf(header: string | undefined): string[] {
  return (header ?? '').split(',').map((name) => name.trim())
}

/** What is answered for the subprotocols that were offered: never the one with the token. */
export function chooseProtocol(offered: ReadonlySet<string>): string | false {
  return offered.has(subprotocol) ? subprotocol : false
}

/** A header may hold anything. */
function printable(text: string): string {
  return text.slice(0, 200).replaceAll(/[^\x21-\x7E]/g, '?')
}
