import { HolmError, exitCodeOf } from '@holm/core'
import { describe, expect, it } from 'vitest'
import { engineError, parseFailure } from './engine-errors.ts'

const connection = { kind: 'socket', path: '/d.sock', name: '/d.sock' } as const
const context = { action: 'create web', environment: 'web', signal: new AbortController().signal, connection }

function answer(statusCode: number, message: string): Error {
  return Object.assign(new Error(`(HTTP code ${statusCode}) server error - ${message} `), {
    statusCode,
    json: { message },
  })
}

function errno(code: string): Error {
  return Object.assign(new Error(`connect ${code} /d.sock`), { code })
}

describe('engineError', () => {
  it.each([
    [errno('ENOENT'), 'HOLM_PROVIDER_UNAVAILABLE', /no engine socket at \/d\.sock/],
    [errno('EACCES'), 'HOLM_PROVIDER_UNAVAILABLE', /this user may not use/],
    [errno('ECONNREFUSED'), 'HOLM_PROVIDER_UNAVAILABLE', /nothing answers/],
    [errno('ECONNRESET'), 'HOLM_PROVIDER_UNAVAILABLE', /connection .* was lost/],
    [answer(404, 'No such container: holm-web'), 'HOLM_ENVIRONMENT_NOT_FOUND', /"web"/],
    [
      answer(409, 'Container abc is not running'),
      'HOLM_ENVIRONMENT_NOT_RUNNING',
      /^environment web is not running$/,
    ],
    [
      answer(409, 'Container abc is paused, unpause the container before exec'),
      'HOLM_ENVIRONMENT_NOT_RUNNING',
      /^environment web is paused$/,
    ],
    [answer(409, 'removal of container abc is already in progress'), 'HOLM_ENVIRONMENT_BUSY', /in progress/],
    [answer(500, 'write /x: no space left on device'), 'HOLM_DISK_FULL', /no space left/],
    [
      answer(400, 'invalid mount config for type "bind": bind source path does not exist: /nope'),
      'HOLM_ENVIRONMENT_FAILED',
      /\/nope/,
    ],
    [answer(500, 'something new'), 'HOLM_ENVIRONMENT_FAILED', /could not create web: something new/],
  ])('%s', (error, code, message) => {
    const found = engineError(error, context)
    expect(found.code).toBe(code)
    expect(found.message).toMatch(message)
  })

  it('tells whether the engine was there: what was asked of it may have been done', () => {
    expect(engineError(errno('ECONNRESET'), context).details).toMatchObject({ lost: true })
    expect(engineError(errno('ECONNREFUSED'), context).details).toMatchObject({ lost: false })
  })

  it('tells what to do when the socket is closed to this user', () => {
    expect(engineError(errno('EACCES'), context).hint).toMatch(/group docker/)
  })

  it('keeps a HolmError and prefers an abort to whatever the abort broke', () => {
    const own = new HolmError('HOLM_PORT_TAKEN', 'x')
    expect(engineError(own, context)).toBe(own)
    const aborted = engineError(errno('ECONNRESET'), { ...context, signal: AbortSignal.abort() })
    expect(exitCodeOf(aborted)).toBe(130)
  })
})

describe('parseFailure', () => {
  it('reads the engine’s words without the library’s frame', () => {
    expect(parseFailure(answer(500, 'a  b\nc'))).toEqual({ status: 500, code: undefined, message: 'a b c' })
    expect(
      parseFailure(Object.assign(new Error('(HTTP code 404) no such image - gone '), { statusCode: 404 }))
        .message,
    ).toBe('gone')
  })
})
