import { createSpec } from '@holm/testkit'
import { expect, it } from 'vitest'
import type { EnvironmentSpec } from '../../spec.ts'
import { goldenHash, goldenName, installsAnything } from './hash.ts'

const provision = { packages: ['git'], tools: { node: '20' }, setup: ['true'], postInstall: [] }
const hash = (change: Partial<EnvironmentSpec> = {}, more: object = {}): string =>
  goldenHash({
    spec: createSpec({ provision, ...change }),
    provider: 'docker',
    base: 'image sha256:1',
    uid: 1000,
    ...more,
  })

it.each<[string, Partial<EnvironmentSpec>]>([
  ['packages', { provision: { ...provision, packages: ['git', 'curl'] } }],
  ['tools', { provision: { ...provision, tools: { node: '22' } } }],
  ['scripts', { provision: { ...provision, setup: ['false'] } }],
  ['environment', { env: { A: 'b' } }],
  ['user', { user: 'dev' }],
  ['secrets', { secrets: { TOKEN: { from: 'env', key: 'TOKEN', optional: false } } }],
  ['options', { options: { docker: { platform: 'linux/arm64' } } }],
])('differs with %s', (_what, change) => {
  expect(hash(change)).not.toBe(hash())
})

it('differs with the base and the provider', () => {
  expect(hash({}, { base: 'image sha256:2' })).not.toBe(hash())
  expect(hash({}, { provider: 'sandbox' })).not.toBe(hash())
  expect(hash({ matchUserId: true })).not.toBe(hash({ matchUserId: true }, { uid: 1001 }))
})

it.each<[string, Partial<EnvironmentSpec>]>([
  ['name', { name: 'other', hostname: 'other' }],
  ['ports', { ports: [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }] }],
  ['mounts', { mounts: [{ type: 'bind', source: '/a', target: '/b', readonly: false }] }],
  ['labels', { labels: { a: 'b' } }],
  ['lifecycle', { lifecycle: { ...createSpec().lifecycle, postStart: [[{ shell: 'true' }]] } }],
  ['options of others', { options: { sandbox: {} } }],
])('does not differ with %s', (_what, change) => {
  expect(hash(change)).toBe(hash())
})

it('names an image, and knows when there is nothing to save', () => {
  expect(goldenName(hash())).toMatch(/^golden-[0-9a-f]{12}$/)
  expect(installsAnything(createSpec())).toBe(false)
  expect(installsAnything({ provision })).toBe(true)
})
