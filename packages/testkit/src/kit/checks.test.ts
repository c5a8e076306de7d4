import { expect, it } from 'vitest'
import { facetNames } from '@holm/core'
import { facetSuites } from '../facet-suites/index.ts'
import { memoryManifest } from '../memory/index.ts'
import { listChecks } from './checks.ts'
import type { ProviderKitOptions } from './kit.ts'

const options: ProviderKitOptions = {
  manifest: memoryManifest,
  base: { kind: 'host' },
  create: () => {
    throw new Error('listing makes nothing')
  },
}

it('demands the suites of declared facets only', () => {
  const suites = (facets: typeof facetNames): Set<string> =>
    new Set(listChecks({ ...options, manifest: { ...memoryManifest, facets } }).map(({ suite }) => suite))
  expect(suites(facetNames)).toEqual(
    new Set([...suites([]), ...Object.values(facetSuites).map(({ name }) => name)]),
  )
  expect(suites(['logs']).has('snapshots')).toBe(false)
})

it('gives every check a name of its own', () => {
  const ids = listChecks(options).map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
})

it('refuses a skip that names nothing or has no reason', () => {
  expect(() => listChecks({ ...options, skip: { 'exec: no such rule': 'why' } })).toThrow('no such rule')
  expect(() => listChecks({ ...options, skip: { pty: ' ' } })).toThrow('reason')
})

it('skips a suite, a check, or everything, with the reason', () => {
  const reasons = (extra: Partial<ProviderKitOptions>): Set<string | undefined> =>
    new Set(listChecks({ ...options, ...extra }).map(({ skipped }) => skipped))
  expect(reasons({ unavailable: 'no daemon' })).toEqual(new Set(['no daemon']))
  const some = listChecks({ ...options, skip: { pty: 'no terminal' } }).filter(({ skipped }) => skipped)
  expect(new Set(some.map(({ suite }) => suite))).toEqual(new Set(['pty']))
})
