import { HolmError } from '@holm/core'
import type { ErrorCode } from '@holm/core'
import { expect, it } from 'vitest'
import { explain } from './files/errors.ts'
import { toRpcError } from './rpc-errors.ts'

const numberOf = (code: ErrorCode): number => toRpcError(new HolmError(code, 'x')).code

it('gives each kind its number', () => {
  expect(numberOf('HOLM_TOKEN_INVALID')).toBe(-32_001)
  expect(numberOf('HOLM_WORKSPACE_NOT_FOUND')).toBe(-32_003)
  expect(numberOf('HOLM_FILE_DENIED')).toBe(-32_004)
  expect(numberOf('HOLM_TIMEOUT')).toBe(-32_005)
  expect(numberOf('HOLM_PATH_OUTSIDE')).toBe(-32_006)
  expect(numberOf('HOLM_LIMIT_REACHED')).toBe(-32_007)
  expect(numberOf('HOLM_ENVIRONMENT_FAILED')).toBe(-32_000)
})

it('keeps what was written, the hint and the details', () => {
  const error = new HolmError('HOLM_TIMEOUT', 'late', {
    hint: 'Wait.',
    details: { timeoutMs: 5, stdout: 'so far' },
  })
  expect(toRpcError(error)).toEqual({
    code: -32_005,
    message: 'late',
    data: { code: 'HOLM_TIMEOUT', hint: 'Wait.', details: { timeoutMs: 5 }, stdout: 'so far' },
  })
})

it('tells of a bug its message alone', () => {
  expect(toRpcError(new TypeError('x is not a function'))).toEqual({
    code: -32_603,
    message: 'x is not a function',
    data: { code: 'HOLM_BUG' },
  })
})

it('knows what the operating system says', () => {
  const said = (code: string) =>
    toRpcError(explain('a b', Object.assign(new Error('raw /proc/self/fd/7/x'), { code })))
  expect(said('EACCES')).toMatchObject({ code: -32_004, message: '"a b" may not be used' })
  expect(said('ENOENT')).toMatchObject({ code: -32_003 })
  expect(said('ENOSPC')).toMatchObject({ data: { code: 'HOLM_DISK_FULL' } })
  expect(said('EIO')).toMatchObject({ code: -32_000, message: '"a b" cannot be used (EIO)' })
  expect(JSON.stringify(said('EIO'))).not.toContain('/proc')
})
