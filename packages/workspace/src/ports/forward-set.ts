import type { PortsApi } from '@holm/core'
import type { Route } from './connect.ts'
import { openForward, type Forward } from './forward.ts'

/** What happens to the forwards of an environment. JSON-safe. */
export type ForwardEvent =
  | {
      readonly event: 'forwarded'
      readonly environment: string
      readonly inside: number
      readonly here: number
      /** Name of the process that listens, where it is known. */
      readonly process: string | null
    }
  | {
      readonly event: 'closed'
      readonly environment: string
      readonly inside: number
      readonly here: number
    }
  | {
      readonly event: 'problem'
      readonly environment: string
      readonly inside: number | null
      readonly message: string
    }

export interface ForwardSetOptions {
  readonly ports: PortsApi
  readonly environment: string
  /** As in `ForwardRequest`, by the port inside. */
  readonly route: (inside: number) => Promise<Route | undefined>
  readonly emit: (event: ForwardEvent) => void
}

/** The forwards of one environment, by the port inside. */
export interface ForwardSet {
  readonly size: number
  has(inside: number): boolean
  open(wish: { readonly inside: number; readonly here?: number | undefined }, process?: string): Promise<void>
  /** Closes all but these. */
  keep(inside: ReadonlySet<number>): Promise<void>
}

export function createForwardSet({ ports, environment, route, emit }: ForwardSetOptions): ForwardSet {
  const forwards = new Map<number, Forward>()
  return {
    get size() {
      return forwards.size
    },
    has: (inside) => forwards.has(inside),
    async open({ inside, here }, process) {
      const forward = await openForward(ports, {
        environment,
        inside,
        here,
        route: () => route(inside),
        onError: (message) => emit({ event: 'problem', environment, inside, message }),
      })
      forwards.set(inside, forward)
      emit({ event: 'forwarded', environment, inside, here: forward.here, process: process ?? null })
    },
    async keep(wanted) {
      for (const forward of forwards.values()) {
        const { inside, here } = forward
        if (wanted.has(inside)) continue
        forwards.delete(inside)
        await forward.close()
        emit({ event: 'closed', environment, inside, here })
      }
    },
  }
}
