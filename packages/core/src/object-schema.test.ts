import { expect, it } from 'vitest'
import { objectSchema, optionChecks } from './object-schema.ts'

interface Options {
  readonly dns?: readonly string[]
  readonly ulimits?: Readonly<Record<string, number | { readonly soft: number; readonly hard: number }>>
}

const schema = objectSchema<Options>({ dns: optionChecks.texts, ulimits: optionChecks.limitMap })

it('a section of plain keys is checked key by key', () => {
  const check = (value: unknown): unknown => schema['~standard'].validate(value)
  expect(check(undefined)).toEqual({ value: {} })
  const good = { dns: ['1.1.1.1'], ulimits: { nofile: 5, core: { soft: 0, hard: 1 } } }
  expect(check(good)).toEqual({ value: good })
  expect(check([])).toEqual({ issues: [{ message: 'must be an object' }] })
  expect(check({ dns: '1.1.1.1', toString: 1, ulimits: { core: { soft: 0 } } })).toEqual({
    issues: [
      { message: 'must be a list of texts', path: ['dns'] },
      { message: 'unknown key; known are dns, ulimits', path: ['toString'] },
      { message: 'must map names to a number or to { soft, hard }', path: ['ulimits'] },
    ],
  })
})
