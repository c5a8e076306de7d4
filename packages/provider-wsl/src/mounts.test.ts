import path from 'node:path'
import type { Mount } from '@holm/core'
import { describe, expect, it } from 'vitest'
import { assertTargets, listDriveSources, planMounts } from './mounts.ts'
import { parseLinuxPath, parseWindowsPath } from './paths.ts'
import { resolveLayout } from './record.ts'

const plan = (mounts: readonly Mount[], windows = true, root?: string): ReturnType<typeof planMounts> =>
  planMounts({
    record: { name: 'box', mounts, conf: root === undefined ? {} : { automount: { root } } },
    layout: resolveLayout(path.join('/mnt/c/holm')),
    namespace: 'n',
    parsePath: windows ? parseWindowsPath : (file) => parseLinuxPath(file, 'Me'),
  })
const bind = (source: string, readonly = false): Mount => ({
  type: 'bind',
  source,
  target: '/work',
  readonly,
})

describe('how a mount is made', () => {
  it('from a drive: bound from below the automount root', () => {
    expect(plan([bind('C:\\x y\\z')]).words).toEqual(['1', 'bind', '/mnt/c/x y/z', '/work', 'rw'])
    expect(plan([bind('D:\\', true)], true, '/win/').words).toEqual(['1', 'bind', '/win/d', '/work', 'ro'])
    expect(plan([bind('/mnt/c/x')], false, '/').words).toEqual(['1', 'bind', '/c/x', '/work', 'rw'])
  })

  it('from another distribution: through the tmpfs that all share', () => {
    const tmpfs: Mount = { type: 'tmpfs', target: '/t', sizeBytes: 5 }
    const { words, shares } = plan([tmpfs, bind('\\\\wsl.localhost\\Debian\\home\\me')])
    expect(shares).toEqual([{ distribution: 'Debian', path: '/home/me', name: '1' }])
    expect(words).toEqual([
      '2',
      'tmpfs',
      'tmpfs',
      '/t',
      'mode=1777,size=5',
      'bind',
      '/mnt/wsl/holm/n/box/1',
      '/work',
      'rw',
    ])
    expect(plan([bind('/home/me')], false).shares).toEqual([
      { distribution: 'Me', path: '/home/me', name: '0' },
    ])
  })

  it('a volume is a folder on the drive that holds the environments', () => {
    const named: Mount = { type: 'volume', source: 'data', target: '/d', readonly: false }
    const own: Mount = { type: 'volume', target: '/e', readonly: false }
    const { words, folders } = plan([named, own], false)
    expect(folders).toEqual(['/mnt/c/holm/volumes/data', '/mnt/c/holm/environments/box/volumes/1'])
    expect(words.slice(1, 5)).toEqual(['bind', '/mnt/c/holm/volumes/data', '/d', 'rw'])
    expect(() => plan([{ ...named, source: '../x' }], false)).toThrowError(
      expect.objectContaining({ code: 'HOLM_NAME_INVALID' }) as Error,
    )
  })

  it('what WSL does not see is refused', () => {
    for (const source of ['\\\\server\\share', 'relative'])
      expect(() => plan([bind(source)])).toThrowError(
        expect.objectContaining({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' }) as Error,
      )
  })
})

it('targets that are needed by WSL are refused', () => {
  const at = (target: string): { mounts: readonly Mount[] } => ({ mounts: [{ type: 'tmpfs', target }] })
  for (const target of [
    '/',
    '/proc/x',
    '/dev',
    '/run',
    '/run/holm/x',
    '/mnt/wsl',
    '/etc/',
    'relative',
    '/a/../usr',
  ])
    expect(() => assertTargets(at(target)), target).toThrowError(
      expect.objectContaining({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' }) as Error,
    )
  for (const target of ['/work', '/mnt/data', '/run/secrets', '/var/lib/postgresql/data', '/etc/app'])
    expect(() => assertTargets(at(target)), target).not.toThrow()
})

it('volumes and folders of drives need automount; folders of distributions do not', () => {
  const volume: Mount = { type: 'volume', source: 'data', target: '/d', readonly: false }
  const mounts = [bind('C:\\x'), bind('\\\\wsl$\\A\\x'), volume, { type: 'tmpfs', target: '/t' } as const]
  expect(listDriveSources(mounts, parseWindowsPath)).toEqual(['C:\\x', 'data'])
})
