import { HolmError } from '@holm/core'
import type { ErrorCode } from '@holm/core'

interface Failure {
  readonly path: string
  /** HTTP's number, or the operation's. */
  readonly status: number
}

/** First that fits decides; the daemon has no codes of its own. */
const table: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/no space left|disk quota exceeded/i, 'HOLM_DISK_FULL', 'Free some space in the storage pool.'],
  [/address already in use/i, 'HOLM_PORT_TAKEN', 'Choose another port, or stop what uses it.'],
  [
    /busy running|operation (?:is )?already in progress|instance is (?:currently )?being/i,
    'HOLM_ENVIRONMENT_BUSY',
    'Wait until it has finished, then try again.',
  ],
  [/already exists|already in use|unique constraint/i, 'HOLM_ENVIRONMENT_CONFLICT', 'Choose another name.'],
  [
    /not authorized|forbidden|not allowed/i,
    'HOLM_PROVIDER_UNAVAILABLE',
    'Join the group of the daemon (`incus-admin` or `lxd`).',
  ],
]

/** What the daemon said, as an error of holm. `details.status` keeps HTTP's number. */
export function apiError(text: string, { path, status }: Failure): HolmError {
  const [, code, hint] = table.find(([pattern]) => pattern.test(text)) ?? []
  return new HolmError(code ?? 'HOLM_ENVIRONMENT_FAILED', text.trim().replaceAll(/\s+/g, ' '), {
    ...(hint === undefined ? {} : { hint }),
    details: { status, path },
  })
}

export function isMissing(error: unknown): boolean {
  const { details, message = '' } = (error ?? {}) as { details?: { status?: number }; message?: string }
  return (
    details?.status === 404 ||
    /^(?:instance|container|storage (?:pool )?volume|no such object)\b.*not found/i.test(message)
  )
}

/** What went wrong before anybody answered. */
export function connectionError(
  error: NodeJS.ErrnoException,
  { socket, action }: { readonly socket: string; readonly action: string },
): HolmError {
  const refused = error.code === 'EACCES' || error.code === 'EPERM'
  return new HolmError('HOLM_PROVIDER_UNAVAILABLE', `${explain(error, socket)} (${action})`, {
    cause: error,
    hint: refused
      ? 'Join the group of the daemon (`sudo usermod -aG incus-admin $USER`, or `lxd`), and log in again.'
      : 'Start it: `sudo systemctl start incus`, or `lxd`.',
  })
}

function explain({ code, message }: NodeJS.ErrnoException, socket: string): string {
  if (code === 'EACCES' || code === 'EPERM') return `this user may not use ${socket}`
  if (code === 'ENOENT') return `there is no socket ${socket}`
  if (code === 'ECONNREFUSED') return `nobody listens on ${socket}`
  return `the connection to ${socket} broke: ${message}`
}
