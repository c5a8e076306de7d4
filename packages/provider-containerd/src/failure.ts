import { HolmError, isHolmError, notRunning } from '@holm/core'

/** gRPC's numbers of the answers that mean something here. */
const codes = {
  1: 'CANCELLED',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  6: 'ALREADY_EXISTS',
  7: 'PERMISSION_DENIED',
  9: 'FAILED_PRECONDITION',
  14: 'UNAVAILABLE',
} as const

type Status = (typeof codes)[keyof typeof codes]

export interface Failure {
  /** Undefined for what containerd did not say, and for codes without a meaning here. */
  readonly status: Status | undefined
  readonly message: string
}

/** Pure: what went wrong, from whatever was thrown. */
export function parseFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { status: undefined, message: String(error) }
  const { code, details } = error as { code?: unknown; details?: unknown }
  const text = typeof details === 'string' && details !== '' ? details : error.message
  return { status: statusOf(code, text), message: plainWords(text.replaceAll(/\s+/g, ' ').trim()) }
}

/** The library's own words about a connection that failed, without what surrounds the cause. */
function plainWords(text: string): string {
  return (
    /^No connection established\. Last error: (?:Error: )?(.+?)\. Resolution note:/.exec(text)?.[1] ?? text
  )
}

/** A runtime's supervisor that runs out of time says so in words only. */
function statusOf(code: unknown, text: string): Status | undefined {
  if (typeof code !== 'number') return undefined
  if (code === 2 && text.includes('context deadline exceeded')) return 'DEADLINE_EXCEEDED'
  if (code === 2 && text.includes('context canceled')) return 'CANCELLED'
  return (codes as Readonly<Record<number, Status | undefined>>)[code]
}

export function isStatus(error: unknown, ...wanted: readonly Status[]): boolean {
  const { status } = parseFailure(error)
  return status !== undefined && wanted.includes(status)
}

export function ignoreMissing(error: unknown): undefined {
  if (!isStatus(error, 'NOT_FOUND')) throw error
  return undefined
}

export interface FailureContext {
  readonly action: string
  readonly address: string
  readonly environment?: string | undefined
  /** It was there a moment ago: something may have been made. */
  readonly lost?: boolean
}

interface Rule {
  readonly match: RegExp
  readonly code: 'HOLM_DISK_FULL' | 'HOLM_ENVIRONMENT_FAILED' | 'HOLM_PROVIDER_UNAVAILABLE'
  readonly hint: string
}

const rules: readonly Rule[] = [
  {
    match: /no space left|disk quota exceeded/i,
    code: 'HOLM_DISK_FULL',
    hint: 'Free space on the disk that holds containerd’s data.',
  },
  {
    match: /runc.*(executable file not found|no such file)|containerd-shim.*not found/i,
    code: 'HOLM_PROVIDER_UNAVAILABLE',
    hint: 'Install runc and containerd’s shim: `sudo apt install runc containerd`.',
  },
  {
    match: /error mounting|mount .*: (no such file|not a directory)/i,
    code: 'HOLM_ENVIRONMENT_FAILED',
    hint: 'Correct the mount of the blueprint.',
  },
]

/** Whatever a call threw as an error that says what was being done. A HolmError stays as it is. */
export function explain(error: unknown, context: FailureContext): HolmError {
  if (isHolmError(error)) return error
  const failure = parseFailure(error)
  const options = { cause: error, details: { containerd: failure.message, status: failure.status ?? '' } }
  const rule = rules.find(({ match }) => match.test(failure.message))
  const message = `could not ${context.action}: ${failure.message}`
  if (rule) return new HolmError(rule.code, message, { hint: rule.hint, ...options })
  if (failure.status === 'UNAVAILABLE' || failure.status === 'PERMISSION_DENIED') {
    const lost = context.lost === true || !/ECONNREFUSED|ENOENT|EACCES|EPERM/.test(failure.message)
    return new HolmError(
      'HOLM_PROVIDER_UNAVAILABLE',
      `containerd at ${context.address} does not answer: ${failure.message}`,
      {
        hint: 'Start it: `sudo systemctl start containerd`.',
        ...options,
        details: { ...options.details, lost },
      },
    )
  }
  const code = failure.status === 'DEADLINE_EXCEEDED' ? 'HOLM_TIMEOUT' : 'HOLM_ENVIRONMENT_FAILED'
  return (
    environmentError(failure, context.environment, error) ??
    new HolmError(code, message, { hint: 'Look at containerd’s log.', ...options })
  )
}

function environmentError(
  { status, message }: Failure,
  environment: string | undefined,
  cause: unknown,
): HolmError | undefined {
  if (environment === undefined) return undefined
  if (status === 'NOT_FOUND') return notFound(environment, cause)
  if (status !== 'FAILED_PRECONDITION' || !/not running|paused/i.test(message)) return undefined
  return notRunning(environment, { status: /paused/i.test(message) ? 'paused' : 'not running', cause })
}

export function notFound(name: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `there is no environment "${name}"`, {
    hint: 'See `holm list` for what there is.',
    cause,
  })
}
