import { HolmError, abortError, isHolmError, notRunning } from '@holm/core'
import type { ErrorCode } from '@holm/core'
import type { Connection } from './connection.ts'

/** What the engine answered, or why it did not. */
export interface EngineFailure {
  readonly status: number | undefined
  /** Errno name of a failed connection. */
  readonly code: string | undefined
  readonly message: string
}

/** Reads a docker-modem error: `statusCode`, and `json.message` or the text after "(HTTP code 409) reason - ". */
export function parseFailure(error: unknown): EngineFailure {
  const raw = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>
  const json = raw['json'] as { message?: unknown; cause?: unknown } | null | undefined
  const text =
    typeof json?.message === 'string' ? json.message : error instanceof Error ? error.message : String(error)
  return {
    status: typeof raw['statusCode'] === 'number' ? raw['statusCode'] : undefined,
    code: typeof raw['code'] === 'string' ? raw['code'] : undefined,
    message: oneLine(text.replace(/^\(HTTP code \d+\)[^-]*- /, '')),
  }
}

export interface FailureContext {
  /** What was being done, for people: "create holm-web". */
  readonly action: string
  readonly signal: AbortSignal
  readonly connection: Connection
  /** Environment the call was about: a 404 then means that it is not there. */
  readonly environment?: string
}

/** Any thrown value of a call to the engine, as a HolmError. */
export function engineError(error: unknown, context: FailureContext): HolmError {
  if (isHolmError(error)) return error
  if (context.signal.aborted) return abortError(context.signal)
  const failure = parseFailure(error)
  return (
    connectionError(failure, context.connection, error) ??
    environmentError(failure, context, error) ??
    new HolmError('HOLM_ENVIRONMENT_FAILED', `the engine could not ${context.action}: ${failure.message}`, {
      cause: error,
      ...details(failure),
    })
  )
}

/** Undefined when the engine answered. */
export function connectionError(
  failure: EngineFailure,
  connection: Connection,
  cause?: unknown,
): HolmError | undefined {
  if (failure.status !== undefined || failure.code === undefined) return undefined
  const { reason, fix } = explainConnection(failure, connection)
  const { details: said } = details(failure)
  const lost = !neverReached.has(failure.code)
  return new HolmError('HOLM_PROVIDER_UNAVAILABLE', reason, { hint: fix, cause, details: { ...said, lost } })
}

/** Errno names that say that no request went out. */
const neverReached = new Set(['ENOENT', 'EACCES', 'EPERM', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])

/** Why the engine cannot be reached, and what makes it reachable. */
export function explainConnection(
  failure: EngineFailure,
  connection: Connection,
): { readonly reason: string; readonly fix: string } {
  const where = connection.name
  switch (failure.code) {
    case 'ENOENT':
      return {
        reason: `there is no engine socket at ${where}`,
        fix: 'Install and start Docker (`sudo systemctl start docker`), or set DOCKER_HOST.',
      }
    case 'EACCES':
    case 'EPERM':
      return {
        reason: `this user may not use ${where}`,
        fix: 'Add your user to group docker: `sudo usermod -aG docker $USER`, then log in again.',
      }
    case 'ECONNREFUSED':
      return {
        reason: `nothing answers at ${where}`,
        fix: 'Start the engine: `sudo systemctl start docker`.',
      }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { reason: `the engine's host name in ${where} cannot be resolved`, fix: 'Correct DOCKER_HOST.' }
    default:
      return {
        reason: `the connection to the engine at ${where} was lost: ${failure.message}`,
        fix: 'Check that the engine is running: `sudo systemctl status docker`.',
      }
  }
}

const rules: readonly { readonly match: RegExp; readonly code: ErrorCode; readonly hint: string }[] = [
  {
    match: /no space left on device|disk quota exceeded/i,
    code: 'HOLM_DISK_FULL',
    hint: 'Free space on the disk that holds the engine’s data.',
  },
  {
    match: /no such image/i,
    code: 'HOLM_IMAGE_MISSING',
    hint: 'Try again: the image was removed in this moment.',
  },
  {
    match: /bind source path does not exist|statfs .*no such file/i,
    code: 'HOLM_ENVIRONMENT_FAILED',
    hint: 'Create the folder, or correct the mount of the blueprint.',
  },
  {
    match: /(docker-init|container-init).*(not found|no such file)/i,
    code: 'HOLM_ENVIRONMENT_FAILED',
    hint: 'Install tini (docker) or catatonit (podman) on the engine’s machine, or set `init: false`.',
  },
]

const notRunningWords =
  /container \S* ?is not running|is paused|can only create exec sessions on running|state improper/i

function environmentError(
  failure: EngineFailure,
  context: FailureContext,
  cause: unknown,
): HolmError | undefined {
  const { environment } = context
  const options = { cause, ...details(failure) }
  if (
    environment !== undefined &&
    failure.status === 404 &&
    /no such container|no container with/i.test(failure.message)
  ) {
    return notFound(environment, cause)
  }
  // docker answers 409, podman 500.
  if (environment !== undefined && notRunningWords.test(failure.message)) {
    const status = /paused/i.test(failure.message) ? 'paused' : 'not running'
    return notRunning(environment, { status, cause })
  }
  if (failure.status === 409) {
    return new HolmError(
      'HOLM_ENVIRONMENT_BUSY',
      `the engine could not ${context.action}: ${failure.message}`,
      { hint: 'Try again when the other operation has ended.', ...options },
    )
  }
  const rule = rules.find(({ match }) => match.test(failure.message))
  if (!rule) return undefined
  return new HolmError(rule.code, `could not ${context.action}: ${failure.message}`, {
    hint: rule.hint,
    ...options,
  })
}

export function notFound(name: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `there is no environment "${name}"`, {
    hint: 'See `holm list` for what there is.',
    cause,
  })
}

function details(failure: EngineFailure): { readonly details: Readonly<Record<string, unknown>> } {
  return {
    details: {
      ...(failure.status !== undefined && { status: failure.status }),
      ...(failure.code !== undefined && { errno: failure.code }),
      engine: failure.message,
    },
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
