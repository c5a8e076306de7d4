import { createClient, type ClientOptions, type HolmClient } from './client.ts'
import { webSocketTransport, type WebSocketTarget } from './websocket.ts'

export { createClient } from './client.ts'
export type { CallOptions, ClientOptions, ClientState, HolmClient, Listener } from './client.ts'
export { HolmRemoteError, isRemoteError } from './errors.ts'
export type { HolmErrorCode } from './errors.ts'
export type { Ended, ExecParams, Execution } from './execution.ts'
export type { FileTarget } from './files.ts'
export type {
  MethodName,
  MethodParams,
  MethodResult,
  NotificationName,
  NotificationParams,
} from './methods.ts'
export { protocolVersion, rpcErrors, subprotocol, tokenProtocol } from './protocol.ts'
export type { RpcError, RpcErrorData, RpcId } from './protocol.ts'
export type { ReconnectOptions } from './reconnect.ts'
export type { Subscription } from './subscriptions.ts'
export type { OpenTransport, Transport, TransportEvents } from './transport.ts'
export type { WebSocketTarget } from './websocket.ts'

/** Connects over a WebSocket, in Node and in browsers (whose origin `holm serve --origin` has to allow). */
export function connect(target: WebSocketTarget & ClientOptions): Promise<HolmClient> {
  const { url, token, ...options } = target
  return createClient(webSocketTransport({ url, token }), options)
}
