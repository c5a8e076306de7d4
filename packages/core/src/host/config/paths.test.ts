import { join } from 'node:path'
import { expect, test } from 'vitest'
import { resolvePaths } from './paths.ts'

test('Linux, by XDG', () => {
  expect(resolvePaths({ env: {}, platform: 'linux', home: '/home/u' })).toEqual({
    data: '/home/u/.local/share/holm',
    cache: '/home/u/.cache/holm',
    config: '/home/u/.config/holm',
    system: '/etc/holm',
    state: '/home/u/.local/state/holm',
    run: '/home/u/.local/state/holm/run',
  })
  const env = { XDG_DATA_HOME: '/d', XDG_CACHE_HOME: 'relative', XDG_RUNTIME_DIR: '/run/user/1' }
  expect(resolvePaths({ env, platform: 'linux', home: '/home/u' })).toMatchObject({
    data: '/d/holm',
    cache: '/home/u/.cache/holm',
    run: '/run/user/1/holm',
  })
})

test('macOS', () => {
  expect(resolvePaths({ env: {}, platform: 'darwin', home: '/Users/u' })).toMatchObject({
    data: '/Users/u/Library/Application Support/holm',
    cache: '/Users/u/Library/Caches/holm',
    config: '/Users/u/.config/holm',
    state: '/Users/u/Library/Application Support/holm/state',
  })
})

test('Windows', () => {
  const env = { APPDATA: 'C:\\Users\\u\\AppData\\Roaming' }
  expect(resolvePaths({ env, platform: 'win32', home: 'C:\\Users\\u' })).toMatchObject({
    data: 'C:\\Users\\u\\AppData\\Local\\holm\\data',
    config: 'C:\\Users\\u\\AppData\\Roaming\\holm',
    system: 'C:\\ProgramData\\holm',
  })
})

test('HOLM_HOME puts everything of the user under one folder', () => {
  expect(
    resolvePaths({ env: { HOLM_HOME: '/h', XDG_DATA_HOME: '/d' }, platform: 'linux', home: '/home/u' }),
  ).toEqual({
    data: '/h/data',
    cache: '/h/cache',
    config: '/h/config',
    system: '/etc/holm',
    state: '/h/state',
    run: '/h/run',
  })
})

test('a socket fits into the run folder, however deep the home is', () => {
  const home = `/${'very-deep/'.repeat(12)}u`
  const [first, second] = [home, `${home}2`].map(
    (deep) => resolvePaths({ env: {}, platform: 'linux', home: deep }).run,
  )
  expect(Buffer.byteLength(join(first!, 'x'.repeat(40)))).toBeLessThanOrEqual(103)
  expect(first).not.toBe(second)
})
