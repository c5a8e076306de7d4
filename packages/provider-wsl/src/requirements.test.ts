import { createSpec } from '@holm/testkit'
import type { EnvironmentSpec } from '@holm/core'
import { expect, it } from 'vitest'
import { parseWindowsPath } from './paths.ts'
import { assertSupported, confOf, listIgnored } from './requirements.ts'

const base = { kind: 'rootfs', name: 'b', path: 'C:\\b.tar', sha256: '' } as const
const check = (more: Partial<EnvironmentSpec>): void =>
  assertSupported({ parsePath: parseWindowsPath }, createSpec({ base, ...more }))
const mounts = [{ type: 'bind', source: 'C:\\x', target: '/work', readonly: false }] as const

it.each<[Partial<EnvironmentSpec>, string]>([
  [{ base: { kind: 'host' } }, 'HOLM_BLUEPRINT_UNSUPPORTED'],
  [{ base: { kind: 'image', reference: 'debian' } }, 'HOLM_BLUEPRINT_UNSUPPORTED'],
  [{ network: 'none' }, 'HOLM_BLUEPRINT_UNSUPPORTED'],
  [
    { ports: [{ container: 53, host: 5353, hostIp: '127.0.0.1', protocol: 'udp' }] },
    'HOLM_BLUEPRINT_UNSUPPORTED',
  ],
  [{ mounts: [{ type: 'tmpfs', target: '/run' }] }, 'HOLM_BLUEPRINT_UNSUPPORTED'],
  [{ mounts, options: { wsl: { profile: 'minimal' } } }, 'HOLM_BLUEPRINT_INVALID'],
])('%j is refused', (more, code) => {
  expect(() => check(more)).toThrowError(expect.objectContaining({ code }) as Error)
})

it('everything else is taken', () => {
  expect(() => check({ mounts, options: { wsl: { profile: 'docker' } } })).not.toThrow()
  expect(confOf(createSpec({ hostname: 'h', user: 'dev' }))).toMatchObject({
    network: { hostname: 'h' },
    user: { default: 'dev' },
  })
})

it('what has no effect is told by name', () => {
  const { security } = createSpec()
  expect(listIgnored({ security, matchUserId: false })).toEqual([])
  const told = listIgnored({
    security: { ...security, capAdd: ['NET_ADMIN'], devices: ['/dev/x'] },
    matchUserId: true,
  })
  expect(told.map((each) => each.split(' ')[0])).toEqual(['capAdd', 'devices', 'matchUserId'])
})
