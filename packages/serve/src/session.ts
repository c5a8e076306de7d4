import { HolmError } from '@holm/core'
import type { HostApi, Logger } from '@holm/core'
import type { NotificationName, NotificationParams, RpcId } from '@holm/sdk'
import type { Execution } from './executions.ts'
import type { Limits } from './options.ts'

/** What belongs to one connection and ends with it. */
export interface Session {
  /** Fires when the connection is over. */
  readonly signal: AbortSignal
  readonly limits: Limits
  readonly executions: Map<string, Execution>
  /** Id to what ends it. */
  readonly subscriptions: Map<string, () => void>
  /** Notifications are sent in order; wait for `calm` first where there may be many. */
  notify<Name extends NotificationName>(name: Name, params: NotificationParams<Name>): void
  calm(): Promise<void>
  readonly congested: boolean
  newId(): string
}

/** One call of a method. */
export interface Call {
  readonly id: RpcId | undefined
  readonly session: Session
  /** Fires when the call is cancelled, or its connection is over. */
  readonly signal: AbortSignal
  readonly backend: Backend
  /** Runs after the answer was sent: what it sends comes later. */
  afterwards(work: () => void): void
}

/** What all connections of a server share. */
export interface Backend {
  readonly host: HostApi
  readonly log: Logger
  readonly limits: Limits
  readonly namespace: string
}

export function assertRoom(what: string, { size }: { readonly size: number }, limit: number): void {
  if (size < limit) return
  throw new HolmError('HOLM_LIMIT_REACHED', `there are ${limit} ${what} already`, {
    hint: 'End one of them, or open another connection.',
    details: { limit },
  })
}
