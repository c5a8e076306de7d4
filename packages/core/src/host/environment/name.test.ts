import { describe, expect, it } from 'vitest'
import type { EnvironmentRecord } from '../state/index.ts'
import type { Records } from '../state/records.ts'
import { chooseName } from './name.ts'

const record = (name: string, project: string, source = `${project}/holm.yaml`): EnvironmentRecord => ({
  namespace: 'holm',
  name,
  provider: 'memory',
  phase: 'ready',
  project,
  source,
  hash: '',
  createdAt: '',
  details: { blueprint: name },
})

const recordsOf = (...list: EnvironmentRecord[]): Records => ({
  get: (name) => list.find((each) => each.name === name),
  list: () => list,
  ofProject: (project) => list.filter((each) => each.project === project),
  put: () => undefined,
  remove: () => undefined,
})

const request = { wanted: undefined, defaultName: 'My App', project: '/a', source: '/a/holm.yaml' }

describe('chooseName', () => {
  it('makes a name of the default', () => {
    expect(chooseName(recordsOf(), request)).toEqual({ name: 'my-app', record: undefined })
  })

  it('finds the environment that the project has already, whatever its name', () => {
    const own = record('other', '/a')
    expect(chooseName(recordsOf(own), request)).toEqual({ name: 'other', record: own })
  })

  it('gives way to another project that has the name, the same way each time', () => {
    const records = recordsOf(record('my-app', '/b'))
    const { name } = chooseName(records, request)
    expect(name).toMatch(/^my-app-[0-9a-f]{4}$/)
    expect(chooseName(records, request).name).toBe(name)
    expect(chooseName(records, { ...request, project: '/c' }).name).not.toBe(name)
  })

  it('refuses a wanted name that another project has, and one of a wrong form', () => {
    const records = recordsOf(record('taken', '/b'))
    expect(() => chooseName(records, { ...request, wanted: 'taken' })).toThrow(
      expect.objectContaining({ code: 'HOLM_ENVIRONMENT_CONFLICT' }),
    )
    for (const wanted of ['Ü x', 'a b', '-a', '', 'a'.repeat(41), '../x', 'a"b']) {
      expect(() => chooseName(records, { ...request, wanted })).toThrow(
        expect.objectContaining({ code: 'HOLM_NAME_INVALID' }),
      )
    }
  })

  it('keeps a long name within 40 characters', () => {
    const long = 'x'.repeat(60)
    const { name } = chooseName(recordsOf(record('x'.repeat(40), '/b')), { ...request, defaultName: long })
    expect(name).toMatch(/^x{35}-[0-9a-f]{4}$/)
  })
})
