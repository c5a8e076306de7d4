import type { Connection } from './connection.ts'

export interface Subscription {
  cancel(): Promise<void>
}

/** A subscription as its caller sees it, whatever connection it is on. */
export interface Active {
  readonly method: 'fs.watch' | 'event.subscribe'
  /** Asked anew for each connection. */
  params(): unknown
  /** What was answered, before anything is notified. */
  started(result: unknown): void
  notified(params: unknown): void
  /** It is on a new connection. */
  resumed(): void
  /** It could not be put on a new connection: nothing more comes. */
  failed(error: unknown): void
}

export interface Subscriptions {
  add(connection: Connection, active: Active): Promise<Subscription>
  notified(params: unknown): void
  lost(): void
  restore(connection: Connection): void
}

export function createSubscriptions(ready: () => Connection | undefined): Subscriptions {
  /** With its id on the connection that there is now. */
  const all = new Map<Active, string | undefined>()
  const put = (connection: Connection, active: Active): Promise<unknown> =>
    connection.request(active.method, active.params(), {
      onResult(result) {
        all.set(active, (result as { readonly subscription: string }).subscription)
        active.started(result)
      },
    })
  const putBack = async (connection: Connection, active: Active): Promise<void> => {
    try {
      await put(connection, active)
      active.resumed()
    } catch (error) {
      // Lost again: the next connection tries.
      if (ready() !== connection) return
      all.delete(active)
      active.failed(error)
    }
  }
  return {
    async add(connection, active) {
      await put(connection, active)
      return {
        async cancel() {
          const id = all.get(active)
          all.delete(active)
          if (id !== undefined) await ready()?.request('subscription.cancel', { subscription: id })
        },
      }
    },
    notified(params) {
      const { subscription } = params as { readonly subscription?: string }
      if (subscription === undefined) return
      for (const [active, id] of all) if (id === subscription) active.notified(params)
    },
    lost() {
      for (const active of all.keys()) all.set(active, undefined)
    },
    restore(connection) {
      for (const active of all.keys()) void putBack(connection, active)
    },
  }
}
