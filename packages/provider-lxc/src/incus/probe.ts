import { isHolmError } from '@holm/core'
import type { Probe, ProviderContext } from '@holm/core'
import { findPool } from './place.ts'
import type { IncusSession } from './session.ts'

interface Server {
  readonly auth: string
  readonly environment: {
    readonly server: string
    readonly server_version: string
    readonly kernel_features?: Readonly<Record<string, string>>
  }
}

const deadlineMs = 2000

/** Asks the daemon who it is, and whether it is set up. Never throws. */
export async function probeIncus(session: IncusSession, ctx: ProviderContext): Promise<Probe> {
  try {
    const client = session.client()
    const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(deadlineMs)])
    const server = await client.get<Server>('/1.0', { signal, action: 'ask who it is' })
    if (server.auth !== 'trusted')
      return unusable('the daemon does not trust this user', 'Join its group: `incus-admin`, or `lxd`.')
    await findPool(client, { ...ctx, signal })
    return { usable: true, version: nameOf(server), limitations }
  } catch (error) {
    if (isHolmError(error, 'HOLM_INTERRUPTED'))
      return unusable(
        `the daemon does not answer within ${deadlineMs} ms`,
        'Look at its log, and restart it.',
      )
    return unusable(
      error instanceof Error ? error.message : String(error),
      isHolmError(error) ? error.hint : undefined,
    )
  }
}

function nameOf({ environment }: Server): string {
  return `${environment.server === 'incus' ? 'Incus' : 'LXD'} ${environment.server_version}`
}

const limitations: readonly string[] = [
  'The kernel is shared with this machine: a hole in it is a way out.',
  'The size of the disk is not limited.',
  'Where the daemon cannot translate ids of bind mounts (LXD 5.0 on a kernel of today), the numeric ids inside are those of this machine.',
]

function unusable(reason: string, fix: string | undefined): Probe {
  return { usable: false, reason, ...(fix === undefined ? {} : { fix }), limitations: [] }
}
