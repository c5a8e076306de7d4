import type { CommandInput } from '@holm/core'
import { expect, it } from 'vitest'
import { defaultNameArg, nameArg } from './command.ts'
import { withDefault } from './default.ts'

const input = (args: CommandInput['args'], flags: CommandInput['flags'] = {}): CommandInput =>
  ({ args, flags }) as CommandInput
const named = { id: 'workspace show', args: [defaultNameArg] }
const served = { id: 'service list', flags: { environment: { type: 'string' as const, description: '' } } }

it('fills in the workspace that is in use where none is named', () => {
  const env = { HOLM_WORKSPACE: 'fix' }
  expect(withDefault(input({}), named, env).args).toEqual({ name: 'fix' })
  expect(withDefault(input({ name: 'other' }), named, env).args).toEqual({ name: 'other' })
  expect(withDefault(input({}), served, env).flags).toEqual({ environment: 'fix' })
  expect(withDefault(input({}, { environment: 'other' }), served, env).flags).toEqual({
    environment: 'other',
  })
  expect(withDefault(input({}), served, {}).flags).toEqual({})
})

it('never fills in what is to be removed, and says what is missing', () => {
  const remove = { id: 'workspace delete', args: [nameArg] }
  expect(withDefault(input({}), remove, { HOLM_WORKSPACE: 'fix' }).args).toEqual({})
  for (const env of [{}, { HOLM_WORKSPACE: '' }])
    expect(() => withDefault(input({}), named, env)).toThrow(
      expect.objectContaining({
        code: 'HOLM_USAGE',
        hint: expect.stringContaining('holm workspace show NAME'),
      }),
    )
})
