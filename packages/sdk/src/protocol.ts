/** What client and server have in common besides the methods. */

export const protocolVersion = 1

/** What a WebSocket speaks. A browser, which can send no header, names its token beside it: `holm.token.<token>`. */
export const subprotocol = 'holm.v1'
export const tokenProtocol = 'holm.token.'

/** `error.code` of an answer. `error.data.code` has holm's own code, which says more. */
export const rpcErrors = {
  parse: { code: -32700, meaning: 'The message is no JSON.' },
  invalidRequest: { code: -32600, meaning: 'It is no request of JSON-RPC 2.0.' },
  methodNotFound: { code: -32601, meaning: 'There is no such method.' },
  invalidParams: { code: -32602, meaning: 'The params are wrong; `data.issues` tells where.' },
  internal: { code: -32603, meaning: 'A bug in holm.' },
  failed: { code: -32000, meaning: 'It failed; `data.code` tells why.' },
  badToken: { code: -32001, meaning: 'The token is wrong.' },
  unauthorized: { code: -32002, meaning: 'No token was shown yet.' },
  notFound: {
    code: -32003,
    meaning: 'There is no such environment, workspace, service, file, program or subscription.',
  },
  denied: { code: -32004, meaning: 'The operating system or the environment does not permit it.' },
  timeout: { code: -32005, meaning: 'It took longer than it might; what there was until then is in `data`.' },
  path: { code: -32006, meaning: 'The path is absolute, or leads out of the folder of the environment.' },
  limit: { code: -32007, meaning: 'A limit of `session.info` was reached.' },
} as const satisfies Record<string, { code: number; meaning: string }>

export type RpcId = string | number

/** Holm's part of an error. */
export interface RpcErrorData {
  /** One of docs/reference/errors.md. */
  readonly code?: string
  readonly hint?: string
  readonly details?: Readonly<Record<string, unknown>>
  /** Of wrong params. */
  readonly issues?: readonly { readonly path: string; readonly message: string }[]
  /** Of a program that was ended by its timeout. */
  readonly stdout?: string
  readonly stderr?: string
}

export interface RpcError {
  readonly code: number
  readonly message: string
  readonly data?: RpcErrorData
}

/** What arrives at a client. */
export interface Incoming {
  readonly jsonrpc: '2.0'
  readonly id?: RpcId | null
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: RpcError
}
