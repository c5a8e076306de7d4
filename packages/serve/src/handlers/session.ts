import { methods } from '@holm/sdk/methods'
import { protocolVersion } from '@holm/sdk'
import type { Handlers } from '../dispatch.ts'
import { assertRoom, type Call } from '../session.ts'

type Names = 'session.info' | 'subscription.cancel' | 'event.subscribe'

/** How often the stored events are looked at while somebody wants them, milliseconds. */
const lookMs = 500
/** Most events told at one look. */
const atOnce = 1000

export const sessionHandlers: Pick<Handlers, Names> = {
  'session.info': (_params, { session, backend }) => {
    const {
      messageBytes,
      messagesPerSecond,
      callsAtOnce,
      executionsAtOnce,
      subscriptionsAtOnce,
      chunkBytes,
    } = session.limits
    return {
      protocol: protocolVersion,
      namespace: backend.namespace,
      pid: process.pid,
      methods: Object.keys(methods),
      limits: {
        messageBytes,
        messagesPerSecond,
        callsAtOnce,
        executionsAtOnce,
        subscriptionsAtOnce,
        chunkBytes,
      },
    }
  },
  'subscription.cancel'({ subscription }, { session }) {
    const end = session.subscriptions.get(subscription)
    session.subscriptions.delete(subscription)
    end?.()
    return { existed: end !== undefined }
  },
  'event.subscribe': subscribe,
}

function subscribe(
  { environment, after }: { readonly environment?: string; readonly after?: number },
  call: Call,
): { subscription: string; last: number } {
  const { session, backend } = call
  assertRoom('subscriptions', session.subscriptions, session.limits.subscriptionsAtOnce)
  const id = session.newId()
  const filter = environment === undefined ? {} : { environment }
  const newest = backend.host.events({ limit: 1 }).at(-1)?.id ?? 0
  let last = after ?? newest
  let looking = false
  const look = async (): Promise<void> => {
    if (looking) return
    looking = true
    try {
      if ((backend.host.events({ ...filter, limit: 1 }).at(-1)?.id ?? 0) <= last) return
      const stored = backend.host.events({ ...filter, limit: atOnce })
      const fresh = stored.filter((each) => each.id > last)
      // With the oldest of a full page among the new ones, older new ones may be gone.
      let missed = fresh.length === atOnce
      for (const each of fresh) {
        await session.calm()
        if (!session.subscriptions.has(id)) return
        last = each.id
        session.notify('event.occurred', {
          subscription: id,
          id: each.id,
          at: each.at,
          event: each.event,
          missed,
        })
        missed = false
      }
    } catch (error) {
      backend.log.debug(`events could not be read: ${String(error)}`)
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), lookMs)
  session.subscriptions.set(id, () => clearInterval(timer))
  call.afterwards(() => void look())
  return { subscription: id, last: newest }
}
