import { mkdirSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createTempFolder, writeFiles } from '../../../test/plugin-fixture.ts'
import { loadConfig, type LoadConfigOptions } from './load.ts'
import { resolvePaths } from './paths.ts'

function create(files: Readonly<Record<string, string>> = {}) {
  const root = createTempFolder()
  mkdirSync(join(root, 'project/.git'), { recursive: true })
  mkdirSync(join(root, 'project/deep/er'), { recursive: true })
  writeFiles(root, files)
  const paths = { ...resolvePaths({ env: { HOLM_HOME: join(root, 'home') } }), system: join(root, 'etc') }
  const load = (options: Partial<LoadConfigOptions> = {}) =>
    loadConfig({ cwd: join(root, 'project/deep/er'), env: {}, paths, home: root, ...options })
  return { root, load }
}

describe('layers', () => {
  test('of a key that nothing may loosen the strictest value counts, with its source', async () => {
    const { root, load } = create({
      'etc/config.toml': '[up]\ndocker = "vm"',
      'project/holm.config.yaml': 'up.docker: all\n',
    })
    const system = join(root, 'etc/config.toml')
    const docker = async (options: Partial<LoadConfigOptions>) => (await load(options)).get('up.docker')
    expect(await docker({ env: { HOLM_UP__DOCKER: 'all' } })).toMatchObject({ value: 'vm', source: system })
    expect(await docker({ overrides: { 'up.docker': 'none' } })).toMatchObject({
      value: 'none',
      source: 'flag',
    })
    expect((await create().load()).get('up.docker')).toMatchObject({ value: 'all', source: 'default' })
  })

  test('later wins, and each value knows its source', async () => {
    const { root, load } = create({
      'etc/config.toml':
        'provider = "system"\nnamespace = "system"\n[ports]\nfirst = 33000\nlast = 33001\n[stop]\ngrace = "1s"',
      'home/config/config.json':
        '{ "provider": "user", "namespace": "user", "ports": { "first": 32000 }, "up": { "keep": false }, "plugin": { "docker": { "host": "a", "tls": true } } }',
      'project/holm.config.yaml':
        'provider: project\nnamespace: project\nup.timeout: 5m\nplugin:\n  docker: { host: b }\n',
    })
    const config = await load({
      env: { HOLM_PROVIDER: 'env', HOLM_NAMESPACE: 'env', HOLM_PLUGIN__DOCKER__KEEP_ALIVE: '7' },
      overrides: { provider: 'flag', namespace: undefined },
    })
    const project = join(root, 'project/holm.config.yaml')
    const user = join(root, 'home/config/config.json')
    const system = join(root, 'etc/config.toml')
    const written = config.list().filter(({ source }) => source !== 'default')
    expect(written.map(({ key, value, source }) => [key, value, source])).toEqual([
      ['provider', 'flag', 'flag'],
      ['namespace', 'env', 'HOLM_NAMESPACE'],
      ['up.timeout', 300_000, project],
      ['up.keep', false, user],
      ['stop.grace', 1000, system],
      ['ports.first', 32_000, user],
      ['ports.last', 33_001, system],
      ['plugin.docker.host', 'b', project],
      ['plugin.docker.keepAlive', 7, 'HOLM_PLUGIN__DOCKER__KEEP_ALIVE'],
      ['plugin.docker.tls', true, user],
    ])
    expect(config.get('log.level')).toEqual({ key: 'log.level', value: 'warn', source: 'default' })
    expect(config.get('exec.shell')).toEqual({ key: 'exec.shell', value: undefined, source: 'default' })
    expect(config.plugin('docker')).toEqual({ host: 'b', keepAlive: 7, tls: true })
    expect(config.values['up.timeout']).toBe(300_000)
    expect(config.files.map(({ scope }) => scope)).toEqual(['system', 'user', 'project'])
    expect(config.get('provider')).toEqual({ key: 'provider', value: 'flag', source: 'flag' })
    expect(() => config.get('providr')).toThrowError(
      expect.objectContaining({ code: 'HOLM_CONFIG_INVALID', hint: 'Did you mean provider?' }),
    )
  })

  test.each([
    ['ts', 'const provider: string = "x"\nexport default { provider }'],
    ['mjs', 'export default { provider: "x" }'],
    ['js', 'export default { provider: "x" }'],
    ['json', '{ "provider": "x" }'],
    ['yaml', 'provider: x'],
    ['yml', 'provider: x'],
    ['toml', 'provider = "x"'],
  ])('a project file holm.config.%s', async (format, content) => {
    const { root, load } = create({
      [`project/holm.config.${format}`]: content,
      'project/package.json': '{"type":"module"}',
    })
    expect((await load()).get('provider')).toEqual({
      key: 'provider',
      value: 'x',
      source: join(root, `project/holm.config.${format}`),
    })
  })

  test('empty files are no configuration and no error', async () => {
    const { load } = create({ 'project/holm.config.yaml': '# nothing yet\n', 'home/config/config.toml': '' })
    expect((await load()).get('provider').value).toBeUndefined()
  })

  test('the search ends at the git root; the nearest file wins', async () => {
    const { load } = create({
      'holm.config.yaml': 'provider: outside',
      'project/deep/holm.config.yaml': 'namespace: near',
      'project/holm.config.yaml': 'provider: far',
    })
    const config = await load()
    expect([config.get('provider').value, config.get('namespace').value]).toEqual([undefined, 'near'])
  })

  test('without git: up to the folder below home, and outside of home only the folder itself', async () => {
    const { root, load } = create({
      'holm.config.yaml': 'provider: home',
      'work/holm.config.yaml': 'provider: work',
      'work/a/b/x': '',
    })
    expect((await load({ cwd: join(root, 'work/a/b') })).get('provider').value).toBe('work')
    expect(
      (await load({ cwd: join(root, 'work/a/b'), home: '/elsewhere' })).get('provider').value,
    ).toBeUndefined()
    expect((await load({ cwd: join(root, 'work'), home: '/elsewhere' })).get('provider').value).toBe('work')
  })

  test('plugins are resolved from the folder of the file that lists them', async () => {
    const { root, load } = create({ 'project/holm.config.yaml': 'plugins: [./x.ts, [y, { a: 1 }]]' })
    const config = await load()
    expect(config.values.plugins).toEqual(['./x.ts', ['y', { a: 1 }]])
    expect(config.pluginsFolder).toBe(join(root, 'project'))
    expect((await load({ env: { HOLM_PLUGINS: 'a, ./b' }, cwd: root })).values.plugins).toEqual(['a', './b'])
    expect((await load({ env: { HOLM_PLUGINS: 'a' } })).pluginsFolder).toBe(join(root, 'project/deep/er'))
  })
})

describe('what is wrong says where', () => {
  const yaml = 'project/holm.config.yaml'
  test.each([
    [yaml, 'namespace: x\nprovder: docker\n', ':2:1: unknown key provder', 'Did you mean provider?'],
    [yaml, 'ports:\n  frist: 1\n', ':2:3: unknown key ports.frist', 'Did you mean ports.first?'],
    [
      yaml,
      'ports:\n  first: many\n',
      ':2:3: ports.first is "many", not a whole number from 1 to 65535',
      undefined,
    ],
    [yaml, 'ports: 1\n', ':1:1: ports is 1, not a section', undefined],
    [yaml, 'plugin:\n  docker: 1\n', ':2:3: plugin.docker is 1, not a section', undefined],
    [yaml, 'provider: null\n', ':1:1: provider is null, not a text', undefined],
    [yaml, 'up:\n  keep: "yes"\n', ':2:3: up.keep is "yes", not true or false', undefined],
    [yaml, 'up: { timeout: soon }\n', ':1:7: up.timeout is "soon", not a time such as 500ms', undefined],
    [
      yaml,
      'log: { level: loud }\n',
      ':1:8: log.level is "loud", not one of debug, info, warn, error',
      undefined,
    ],
    [yaml, 'namespace: Über\n', ':1:1: namespace is "Über", not 1 to 20 lower-case letters', undefined],
    [yaml, 'plugins: [1]\n', ':1:1: plugins holds 1, not a name', undefined],
    [yaml, 'provider: [\n', ':2:1: ', 'Correct the syntax of this yaml file.'],
    [yaml, '- provider\n', ' holds no object', undefined],
    [
      'project/holm.config.json',
      '{\n  "provider": "x",\n  "colour": 1\n}',
      ':3:3: unknown key colour',
      undefined,
    ],
    ['project/holm.config.json', '{\n  "provider": "x"\n  "namespace": "y"\n}', ':3:3: Expected', undefined],
    [
      'project/holm.config.toml',
      'provider = "x"\nnamespace = \n',
      ':2:',
      'Correct the syntax of this toml file.',
    ],
    ['project/holm.config.toml', 'providr = "x"\n', ': unknown key providr', 'Did you mean provider?'],
    ['project/holm.config.mjs', 'throw new Error("boom")', ' could not be run: boom', undefined],
    ['project/holm.config.mjs', 'export const provider = 1', ' holds no object', undefined],
    [
      'etc/config.mjs',
      'export default {}',
      ' is code, and the configuration of the machine is data only',
      undefined,
    ],
  ])('%s: %j', async (...[path, content, message, hint]) => {
    const { root, load } = create({ [path]: content })
    const error = await load().catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'HOLM_CONFIG_INVALID', ...(hint !== undefined && { hint }) })
    expect((error as Error).message).toContain(join(root, path) + message)
  })

  test('two files in one folder', async () => {
    const { load } = create({ 'project/holm.config.yaml': '', 'project/holm.config.ts': 'export default {}' })
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_CONFIG_INVALID',
      message: expect.stringMatching(/holm\.config\.ts and .*holm\.config\.yaml/),
    })
  })

  test('ports that are the wrong way round, across layers', async () => {
    const { load } = create({ 'project/holm.config.yaml': 'ports: { first: 40000 }' })
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_CONFIG_INVALID',
      message: expect.stringMatching(/40000 .*holm\.config\.yaml\) is above ports\.last 34999 \(default\)/),
    })
  })

  test('a wrong flag is the command line, not the configuration', async () => {
    const { load } = create()
    await expect(load({ overrides: { 'ports.first': -1 } })).rejects.toMatchObject({ code: 'HOLM_USAGE' })
  })

  test('a folder where a file should be', async () => {
    const { load } = create({ 'project/holm.config.yaml/x': '' })
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_CONFIG_UNREADABLE',
      message: expect.stringContaining('holm.config.yaml'),
    })
  })
})

describe('the environment', () => {
  test.each([
    ['HOLM_UP__KEEP', 'no', 'up.keep', false],
    ['HOLM_UP__KEEP', '1', 'up.keep', true],
    ['HOLM_UP__START_TIMEOUT', '2m', 'up.startTimeout', 120_000],
    ['HOLM_UP__TIMEOUT', '1500', 'up.timeout', 1500],
    ['HOLM_PORTS__FIRST', '20000', 'ports.first', 20_000],
    ['HOLM_PLUGINS', '["a",["b",{"c":1}]]', 'plugins', ['a', ['b', { c: 1 }]]],
    ['HOLM_EXEC__SHELL', 'zsh', 'exec.shell', 'zsh'],
    ['HOLM_PLUGIN__MY_MESH__AUTH_KEY', 'tskey', 'plugin.my-mesh.authKey', 'tskey'],
    ['HOLM_PLUGIN__MESH__TLS__VERIFY', 'false', 'plugin.mesh.tls.verify', false],
  ])('%s=%s sets %s', async (...[name, text, key, value]) => {
    const { load } = create()
    expect((await load({ env: { [name]: text } })).get(key)).toEqual({ key, value, source: name })
  })

  test.each([
    ['HOLM_PORTS__FIRST', 'x', 'HOLM_PORTS__FIRST is "x", not a whole number'],
    ['HOLM_UP__KEEP', 'maybe', 'HOLM_UP__KEEP is "maybe", not true or false'],
    ['HOLM_NAMESPACE', 'A B', 'HOLM_NAMESPACE is "A B", not 1 to 20'],
  ])('%s=%s is refused', async (name, text, message) => {
    const { load } = create()
    await expect(load({ env: { [name]: text } })).rejects.toMatchObject({
      code: 'HOLM_CONFIG_INVALID',
      message: expect.stringContaining(message),
    })
  })

  test('unknown variables are ignored, near misses are warned of, empty ones are not set', async () => {
    const { load } = create()
    const config = await load({
      env: {
        HOLM_PROVDER: 'x',
        HOLM_SOMETHING_ELSE: 'y',
        HOLM_HOME: '/h',
        HOLM_WORKSPACE: 'w',
        HOLM_PROVIDER: '',
        PATH: '/bin',
      },
    })
    expect(config.warnings).toEqual([
      'the variable HOLM_PROVDER is unknown and ignored: did you mean HOLM_PROVIDER?',
    ])
    expect(config.get('provider').value).toBeUndefined()
  })
})

test('without a configuration file no parser and no cosmiconfig is imported', () => {
  const script = `
    import { registerHooks } from 'node:module'
    const third = []
    registerHooks({ load(url, context, next) { if (url.includes('node_modules')) third.push(url); return next(url, context) } })
    const { loadConfig } = await import(${JSON.stringify(new URL('load.ts', import.meta.url).href)})
    const paths = { system: '/nonexistent', config: '/nonexistent' }
    await loadConfig({ cwd: '/', env: {}, paths, home: '/nonexistent' })
    console.log(JSON.stringify(third))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(stdout.trim()).toBe('[]')
})

test('a configuration in code defines plugins with the contract of this host', () => {
  const root = createTempFolder()
  writeFiles(root, {
    'holm.config.ts': `
      import { definePlugin } from '@holm/core'
      export default { plugins: [definePlugin({ name: 'inline', contract: 1, setup() {} })] }`,
  })
  const script = `
    const { loadConfig } = await import(${JSON.stringify(new URL('load.ts', import.meta.url).href)})
    const paths = { system: '/nonexistent', config: '/nonexistent' }
    const { values } = await loadConfig({ cwd: ${JSON.stringify(root)}, env: {}, paths, home: '/nonexistent' })
    console.log(values.plugins[0].name)`
  const argv = ['--conditions=holm-source', '--input-type=module', '-e', script]
  const { stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
  expect([stdout, stderr]).toEqual(['inline\n', ''])
})
