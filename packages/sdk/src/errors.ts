import type { HolmErrorCode } from './error-codes.generated.ts'
import { rpcErrors, type RpcError, type RpcErrorData } from './protocol.ts'

export type { HolmErrorCode } from './error-codes.generated.ts'

/** An error of the server, or of the way to it (HOLM_CONNECTION_LOST, HOLM_TIMEOUT, HOLM_INTERRUPTED). */
export class HolmRemoteError extends Error {
  /** Tell errors by this. */
  readonly code: HolmErrorCode
  /** The number of JSON-RPC; 0 for what never came from the server. */
  readonly rpcCode: number
  readonly hint: string | undefined
  readonly data: RpcErrorData | undefined

  constructor(
    code: HolmErrorCode,
    message: string,
    {
      rpcCode = 0,
      hint,
      data,
      cause,
    }: { rpcCode?: number; hint?: string; data?: RpcErrorData; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'HolmRemoteError'
    this.code = code
    this.rpcCode = rpcCode
    this.hint = hint ?? data?.hint
    this.data = data
  }
}

/** True for an error of any copy of this package; with `code`, only for that code. */
export function isRemoteError(error: unknown, code?: HolmErrorCode): error is HolmRemoteError {
  if (!(error instanceof Error) || error.name !== 'HolmRemoteError' || !('code' in error)) return false
  return code === undefined || error.code === code
}

/** Where the server gives no code of holm's, the number tells enough. */
const codeOf: Readonly<Record<number, HolmErrorCode>> = {
  [rpcErrors.internal.code]: 'HOLM_BUG',
  [rpcErrors.badToken.code]: 'HOLM_TOKEN_INVALID',
  [rpcErrors.unauthorized.code]: 'HOLM_TOKEN_INVALID',
  [rpcErrors.limit.code]: 'HOLM_LIMIT_REACHED',
}

export function remoteError({ code, message, data }: RpcError): HolmRemoteError {
  const holm = (data?.code as HolmErrorCode | undefined) ?? codeOf[code] ?? 'HOLM_USAGE'
  return new HolmRemoteError(holm, message, { rpcCode: code, ...(data && { data }) })
}

export function connectionLost(reason: string, cause?: unknown): HolmRemoteError {
  return new HolmRemoteError('HOLM_CONNECTION_LOST', `the connection to holm was lost: ${reason}`, {
    hint: 'See whether holm serve still runs; whether the call was carried out is not known.',
    cause,
  })
}
