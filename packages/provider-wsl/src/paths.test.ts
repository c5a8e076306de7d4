import { describe, expect, it } from 'vitest'
import { drivePathInside, normalizeRoot, parseLinuxPath, parseWindowsPath, windowsPathOf } from './paths.ts'

const drive = (windows: string): object => ({ kind: 'drive', windows })

describe('a Windows path', () => {
  it.each([
    ['C:\\x y\\z', 'C:\\x y\\z'],
    ['c:/x y/z', 'C:\\x y\\z'],
    ['D:', 'D:\\'],
    ['d:\\', 'D:\\'],
    ['C:\\a\\\\b\\', 'C:\\a\\b'],
    ['\\\\?\\C:\\long', 'C:\\long'],
    ['E:\\ünï\\漢字', 'E:\\ünï\\漢字'],
  ])('%s is on a drive', (given, windows) => {
    expect(parseWindowsPath(given)).toEqual(drive(windows))
  })

  it.each([
    ['\\\\wsl$\\Ubuntu-22.04\\home\\me', 'Ubuntu-22.04', '/home/me'],
    ['\\\\wsl.localhost\\Debian\\', 'Debian', '/'],
    ['//wsl.localhost/Debian/srv/a b', 'Debian', '/srv/a b'],
    ['\\\\?\\UNC\\wsl$\\Debian\\x', 'Debian', '/x'],
  ])('%s is in a distribution', (given, distribution, path) => {
    expect(parseWindowsPath(given)).toEqual({ kind: 'distribution', distribution, path })
  })

  it.each(['\\\\server\\share\\x', 'relative\\x', 'C:relative', '', '\\\\.\\COM1'])(
    '%s is nothing that a distribution can see',
    (given) => expect(parseWindowsPath(given)).toBeUndefined(),
  )
})

describe('a Linux path', () => {
  it.each([
    ['/mnt/c/x y/z', undefined, 'C:\\x y\\z'],
    ['/mnt/c', undefined, 'C:\\'],
    ['/mnt/d/', '/mnt', 'D:\\'],
    ['/c/Users', '/', 'C:\\Users'],
    ['/win/drives/e/a', '/win/drives', 'E:\\a'],
    ['/mnt/c/a:b "q"', undefined, 'C:\\a\uF03Ab \uF022q\uF022'],
  ])('%s (root %s) is on a drive', (given, root, windows) => {
    expect(parseLinuxPath(given, 'Me', root)).toEqual(drive(windows))
  })

  it.each(['/home/me', '/mnt', '/mnt/wsl/x', '/mnt/cd/x', '/mntc/x'])('%s is its own', (path) => {
    expect(parseLinuxPath(path, 'Me')).toEqual({ kind: 'distribution', distribution: 'Me', path })
  })
})

it('names come back', () => {
  for (const path of ['/mnt/c/x y/z', '/mnt/c/a "b" c:d\\e', '/mnt/z/ünï ✓']) {
    const place = parseLinuxPath(path, 'Me')
    expect(place.kind).toBe('drive')
    expect(drivePathInside(windowsPathOf(place))).toBe(path)
  }
  const own = parseLinuxPath('/home/it is "me"', 'Me')
  expect(windowsPathOf(own)).toBe('\\\\wsl.localhost\\Me\\home\\it is \uF022me\uF022')
  expect(parseWindowsPath(windowsPathOf(own))).toEqual(own)
})

it('a root has one form', () => {
  expect([undefined, '/', '/mnt', '/mnt/', '//a//b'].map((root) => normalizeRoot(root))).toEqual([
    '/mnt/',
    '/',
    '/mnt/',
    '/mnt/',
    '/a/b/',
  ])
})
