import { createSpec } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { assertSupported, listIgnored } from './requirements.ts'

const spec = createSpec()
const security = { ...spec.security, capAdd: ['NET_ADMIN'], capDrop: ['CHOWN'] }
const loose = { ...spec, security: { ...security, securityOpt: ['seccomp=unconfined', 'no-new-privileges'] } }

describe('listIgnored', () => {
  it('has nothing to say of a plain spec', () => expect(listIgnored(spec, { uid: 0 })).toEqual([]))
  it('names each key and what it asked for', () => {
    const said = listIgnored(loose, { uid: 1000 })
    expect(said.map((line) => line.split(' ')[0])).toEqual(['capAdd', 'capDrop', 'securityOpt'])
    expect(said.join('\n')).toMatch(/NET_ADMIN[^]*CHOWN[^]*seccomp=unconfined/)
    expect(said.join('\n'), 'which holds anyway').not.toContain('no-new-privileges')
  })
  it('matches ids without a word, save for another user under root', () => {
    const matched = { ...spec, matchUserId: true, user: 'dev' }
    expect(listIgnored(matched, { uid: 1000 })).toEqual([])
    expect(listIgnored({ ...matched, user: '0:0' }, { uid: 0 })).toEqual([])
    expect(listIgnored(matched, { uid: 0 })[0]).toMatch(/^matchUserId .* dev /)
  })
})

describe('assertSupported', () => {
  const mounted = (target: string) =>
    assertSupported({ ...spec, base: { kind: 'host' }, mounts: [{ type: 'tmpfs', target }] })
  const volume = (source: string) => {
    const mounts = [{ type: 'volume', source, target: '/v', readonly: false }] as const
    assertSupported({ ...spec, base: { kind: 'host' }, mounts })
  }
  it.each([
    '',
    'relative',
    '/',
    '/x/..',
    '/proc',
    '/proc/sys/',
    '/sys/fs',
    '/dev',
    '/dev/./pts',
    '/run/holm.log',
    '/a\0b',
  ])('refuses to mount at %j', (target) =>
    expect(() => mounted(target)).toThrow(expect.objectContaining({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' })),
  )
  it.each(['/workspace', "/a b'c", '/dev/shm', '/procedures', '/run/secrets', '/etc/app'])(
    'mounts at %j',
    (target) => expect(() => mounted(target)).not.toThrow(),
  )
  it.each(['', '.', '..', '../../home', 'a/b', '/etc'])('takes no volume %j out of its folder', (source) =>
    expect(() => volume(source)).toThrow(expect.objectContaining({ code: 'HOLM_NAME_INVALID' })),
  )
})
