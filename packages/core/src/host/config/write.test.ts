import { lstatSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createTempFolder, writeFiles } from '../../../test/plugin-fixture.ts'
import { resolvePaths } from './paths.ts'
import { setConfigValue, type SetConfigOptions } from './write.ts'

function create(files: Readonly<Record<string, string>> = {}) {
  const root = createTempFolder()
  mkdirSync(join(root, 'project/.git'), { recursive: true })
  writeFiles(root, files)
  const paths = resolvePaths({ env: { HOLM_HOME: join(root, 'home') } })
  const set = (key: string, value: string, options: Partial<SetConfigOptions> = {}) =>
    setConfigValue({
      key,
      value,
      scope: 'project',
      cwd: join(root, 'project'),
      paths,
      home: root,
      ...options,
    })
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  return { root, set, read }
}

describe('YAML', () => {
  test('keeps comments and the rest, and leaves a backup', async () => {
    const before = '# ours\nprovider: docker # for now\n\nup:\n  # long builds\n  timeout: 30m\n'
    const { root, set, read } = create({ 'project/holm.config.yaml': before })
    const path = join(root, 'project/holm.config.yaml')
    expect(await set('provider', 'sandbox')).toEqual({ path, backup: `${path}.bak` })
    expect(read('project/holm.config.yaml.bak')).toBe(before)
    await set('up.timeout', '45m')
    await set('up.keep', 'no')
    await set('plugin.docker.host', 'unix:///x')
    expect(read('project/holm.config.yaml')).toMatchInlineSnapshot(`
      "# ours
      provider: sandbox # for now

      up:
        # long builds
        timeout: 45m
        keep: false
      plugin:
        docker:
          host: unix:///x
      "
    `)
    expect(readdirSync(join(root, 'project')).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test('a flat key stays flat', async () => {
    const { set, read } = create({ 'project/holm.config.yaml': 'up.timeout: 1m\n' })
    await set('up.timeout', '2m')
    expect(read('project/holm.config.yaml')).toBe('up.timeout: 2m\n')
  })

  test('a file of comments only, and one that is missing', async () => {
    const { set, read } = create({ 'project/holm.config.yml': '# later\n' })
    await set('ports.first', '33000')
    expect(read('project/holm.config.yml')).toBe('# later\n\nports:\n  first: 33000\n')
    const fresh = create()
    expect(await fresh.set('plugins', 'a,./b')).toEqual({
      path: join(fresh.root, 'project/holm.config.yaml'),
    })
    expect(fresh.read('project/holm.config.yaml')).toBe('plugins:\n  - a\n  - ./b\n')
  })

  test('a link to the file stays a link', async () => {
    const { root, set, read } = create({ 'dotfiles/holm.yaml': 'provider: a\n' })
    symlinkSync(join(root, 'dotfiles/holm.yaml'), join(root, 'project/holm.config.yaml'))
    await set('provider', 'b')
    expect(lstatSync(join(root, 'project/holm.config.yaml')).isSymbolicLink()).toBe(true)
    expect(read('dotfiles/holm.yaml')).toBe('provider: b\n')
  })
})

test('JSON keeps its layout', async () => {
  const { set, read } = create({ 'project/holm.config.json': '{\n    "provider": "a"\n}\n' })
  await set('provider', 'b')
  expect(read('project/holm.config.json')).toBe('{\n    "provider": "b"\n}\n')
})

test.skipIf(process.platform === 'win32')(
  "the user's file and folder are for the user alone (POSIX modes)",
  async () => {
    const { root, set, read } = create()
    await set('provider', 'docker', { scope: 'user' })
    expect(read('home/config/config.yaml')).toBe('provider: docker\n')
    expect(statSync(join(root, 'home/config/config.yaml')).mode & 0o777).toBe(0o600)
    expect(statSync(join(root, 'home/config')).mode & 0o777).toBe(0o700)
  },
)

describe('refused, and nothing is changed', () => {
  test.each([
    ['provdier', 'x', 'HOLM_CONFIG_INVALID', 'unknown key provdier'],
    ['ports', 'x', 'HOLM_CONFIG_INVALID', 'unknown key ports'],
    ['ports.first', 'x', 'HOLM_CONFIG_INVALID', 'ports.first is "x", not a whole number'],
    ['up.timeout', 'soon', 'HOLM_CONFIG_INVALID', 'up.timeout is "soon", not a time'],
  ])('%s = %s', async (...[key, value, code, message]) => {
    const { root, set } = create()
    await expect(set(key, value)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
    expect(readdirSync(join(root, 'project'))).toEqual(['.git'])
  })

  test.each([
    [
      'ts',
      'export default {}',
      /holm\.config\.ts is not edited by holm/,
      /^Set provider to x in .*holm\.config\.ts\.$/,
    ],
    ['toml', '', /holm\.config\.toml is not edited by holm/, /^Set provider to x in/],
    ['yaml', 'a: [', /holm\.config\.yaml: /, /^Correct the file first/],
    ['yaml', '- a', /holm\.config\.yaml: holds no object/, /^Correct the file first/],
    ['json', '{', /holm\.config\.json: not valid JSON/, /^Correct the file first/],
  ])('a %s file with %j', async (...[format, content, message, hint]) => {
    const { set, read, root } = create({ [`project/holm.config.${format}`]: content })
    await expect(set('provider', 'x')).rejects.toMatchObject({
      code: 'HOLM_CONFIG_INVALID',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
    expect(read(`project/holm.config.${format}`)).toBe(content)
    expect(readdirSync(join(root, 'project')).filter((name) => name.endsWith('.bak'))).toEqual([])
  })

  test('a home that cannot be written says which path and what to do', async () => {
    const { root, set } = create({ home: 'a file, so that no folder can be made' })
    await expect(set('provider', 'x', { scope: 'user' })).rejects.toMatchObject({
      code: 'HOLM_CONFIG_UNREADABLE',
      message: expect.stringContaining(join(root, 'home/config')),
      hint: 'Set HOLM_HOME to a folder that you can write to.',
    })
  })
})
