import { isHolmError } from '@holm/core'
import type { ErrorCode } from '@holm/core'
import { sanitize } from '@holm/core/host'
import { rpcErrors, type RpcError } from '@holm/sdk'

/** Holm's codes that have a number of their own; every other is `failed`. */
const numbers: Partial<Record<ErrorCode, keyof typeof rpcErrors>> = {
  HOLM_USAGE: 'invalidParams',
  HOLM_NAME_INVALID: 'invalidParams',
  HOLM_BUG: 'internal',
  HOLM_TOKEN_INVALID: 'badToken',
  HOLM_ENVIRONMENT_NOT_FOUND: 'notFound',
  HOLM_WORKSPACE_NOT_FOUND: 'notFound',
  HOLM_SERVICE_NOT_FOUND: 'notFound',
  HOLM_REPOSITORY_NOT_FOUND: 'notFound',
  HOLM_REVISION_NOT_FOUND: 'notFound',
  HOLM_BLUEPRINT_NOT_FOUND: 'notFound',
  HOLM_FILE_NOT_FOUND: 'notFound',
  HOLM_FILE_DENIED: 'denied',
  HOLM_HOOK_VETO: 'denied',
  HOLM_PATH_OUTSIDE: 'path',
  HOLM_TIMEOUT: 'timeout',
  HOLM_LIMIT_REACHED: 'limit',
}

/** What a client is told. Of a bug only its message: a stack names folders of this machine. */
export function toRpcError(error: unknown): RpcError {
  if (!isHolmError(error)) {
    const message = error instanceof Error ? error.message : String(error)
    return { code: rpcErrors.internal.code, message: sanitize(message), data: { code: 'HOLM_BUG' } }
  }
  const { stdout, stderr, ...details } = error.details ?? {}
  return {
    code: rpcErrors[numbers[error.code] ?? 'failed'].code,
    message: sanitize(error.message),
    data: {
      code: error.code,
      ...(error.hint !== undefined && { hint: sanitize(error.hint) }),
      ...(Object.keys(details).length > 0 && { details }),
      ...(typeof stdout === 'string' && { stdout }),
      ...(typeof stderr === 'string' && { stderr }),
    },
  }
}
