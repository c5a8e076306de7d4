import { describe, expect, it } from 'vitest'
import { parseOptions } from './options.ts'
import { suites } from './suites/index.ts'

describe('parseOptions', () => {
  it('measures everything fifteen times, and keeps it', () => {
    expect(parseOptions([])).toEqual({ suites, runs: 15, warmups: 2, save: true })
  })

  it('takes suites by name, also through pnpm', () => {
    const options = parseOptions(['--', 'exec', 'version', '--runs', '3', '--warmups=0', '--no-save'])
    expect(options.suites.map(({ name }) => name)).toEqual(['exec', 'version'])
    expect(options).toMatchObject({ runs: 3, warmups: 0, save: false })
  })

  it('takes all suites of a group', () => {
    const names = parseOptions(['workspaces']).suites.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['workspaces-leases', 'workspaces-ports']))
    expect(names.every((name) => name.startsWith('workspaces'))).toBe(true)
  })

  it.each([
    [['nothing'], 'no suite nothing; there are version,'],
    [['--runs', '0'], '--runs 0 is not a whole number of at least 1'],
    [['--runs', 'many'], '--runs many'],
    [['--quick'], "Unknown option '--quick'"],
  ])('refuses %j', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(message)
  })
})
