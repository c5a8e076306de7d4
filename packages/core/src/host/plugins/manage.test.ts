import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  createTempFolder,
  writeFiles,
  writePlugin,
  type PluginFixture,
} from '../../../test/plugin-fixture.ts'
import type { RunResult, Runner } from '../../process.ts'
import { discoverPlugins } from './discover.ts'
import { withPluginsLock } from '../file-lock.ts'
import { installPlugin, linkPlugin, removePlugin } from './manage.ts'

/** An npm that "installs" what the registry of this test holds, as far as holm can tell. */
function fakeNpm(registry: Readonly<Record<string, PluginFixture | RunResult>>) {
  const calls: (readonly string[])[] = []
  let running = 0
  let most = 0
  function apply(folder: string, argv: readonly string[]): RunResult {
    const specifier = argv.at(-1)!
    const found = registry[specifier]
    if (found && 'code' in found) return found
    const path = join(folder, 'package.json')
    const content = JSON.parse(readFileSync(path, 'utf8')) as { dependencies?: Record<string, string> }
    const dependencies = { ...content.dependencies }
    if (argv[1] === 'uninstall') Reflect.deleteProperty(dependencies, specifier)
    else if (found) {
      const [, alias = found.name] = /^(.+)@npm:/.exec(specifier) ?? []
      writePlugin(join(folder, 'node_modules', alias), found)
      dependencies[alias] = '1.2.3'
    }
    writeFileSync(path, JSON.stringify({ ...content, dependencies }))
    return { code: 0, stdout: '', stderr: '' }
  }
  const runner: Runner = {
    async run(argv) {
      calls.push(argv)
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return apply(argv[argv.indexOf('--prefix') + 1]!, argv)
    },
    spawn: () => Promise.reject(new Error('not used')),
  }
  return { runner, calls, most: () => most }
}

function create(registry: Parameters<typeof fakeNpm>[0] = {}) {
  const root = createTempFolder()
  const npm = fakeNpm(registry)
  const dataFolder = join(root, 'data')
  const bundled = [
    writePlugin(join(root, 'bundled'), { name: 'bundled', manifest: { kind: 'provider', id: 'docker' } }),
  ]
  const options = { dataFolder, bundled, cwd: root, runner: npm.runner }
  const list = () =>
    discoverPlugins({ bundled: [], dataFolder, configured: [], configFolder: root }).map(({ name }) => name)
  const leftovers = () =>
    ['plugins.staging', 'plugins.previous'].filter((name) => existsSync(join(dataFolder, name)))
  return { root, npm, options, list, leftovers, dataFolder }
}

const failure = { code: 1, stdout: '', stderr: 'npm error code E404\nnpm error 404 Not Found - nothing\n' }

describe('install', () => {
  test('runs npm without scripts and peers, and lists the plugin', async () => {
    const { npm, options, list, leftovers, dataFolder } = create({ 'x@1': { name: 'x' } })
    expect(await installPlugin('x@1', options)).toMatchObject({
      name: 'x',
      version: '1.2.3',
      origin: 'installed',
      path: join(dataFolder, 'plugins/node_modules/x'),
    })
    expect(list()).toEqual(['x'])
    expect(leftovers()).toEqual([])
    expect(npm.calls[0]?.slice(0, 2)).toEqual(['npm', 'install'])
    expect(npm.calls[0]).toEqual(
      expect.arrayContaining(['--ignore-scripts', '--save-exact', '--legacy-peer-deps', '--omit=peer']),
    )
    expect(npm.calls[0]?.slice(-2)).toEqual(['--', 'x@1'])
  })

  test.each(['@acme/long', 'short'])('an alias of npm is removed by the name %s', async (name) => {
    const registry = {
      'short@npm:@acme/long@1': { name: '@acme/long', manifest: { id: 'long' } },
      'x@1': { name: 'x' },
    }
    const { npm, options, list, dataFolder } = create(registry)
    await installPlugin('x@1', options)
    expect(await installPlugin('short@npm:@acme/long@1', options)).toMatchObject({
      name: '@acme/long',
      path: join(dataFolder, 'plugins/node_modules/short'),
    })
    expect(await removePlugin(name, options)).toEqual({ name: '@acme/long' })
    expect(npm.calls.at(-1)?.at(-1)).toBe('short')
    expect(list()).toEqual(['x'])
  })

  test.each<[string, PluginFixture | RunResult, string, RegExp]>([
    [
      'npm fails',
      failure,
      'HOLM_PLUGIN_INSTALL',
      /npm could not install bad \(exit code 1\): .*404 Not Found/s,
    ],
    [
      'no plugin',
      { name: 'bad', packageJson: { holm: undefined } },
      'HOLM_PLUGIN_INVALID',
      /nothing is changed: .*plugins\/node_modules\/bad.*no "holm" key/,
    ],
    [
      'wrong contract',
      { name: 'bad', manifest: { contract: 9 } },
      'HOLM_PLUGIN_CONTRACT',
      /nothing is changed: .*contract 9/,
    ],
    ['wrong platform', { name: 'bad', manifest: { platforms: ['haiku'] } }, 'HOLM_PLUGIN_PLATFORM', /haiku/],
    [
      'no entry',
      { name: 'bad', manifest: { entry: './dist/index.js' } },
      'HOLM_PLUGIN_INVALID',
      /dist\/index\.js of bad does not exist/,
    ],
    [
      'an id that is taken',
      { name: 'bad', manifest: { kind: 'provider', id: 'docker' } },
      'HOLM_PLUGIN_DUPLICATE',
      /provider docker: .* and .*bundled/,
    ],
  ])('%s: refused, and the plugins are as before', async (...[, fixture, code, message]) => {
    const { options, list, leftovers, dataFolder } = create({ good: { name: 'good' }, bad: fixture })
    await installPlugin('good', options)
    const before = readFileSync(join(dataFolder, 'plugins/package.json'), 'utf8')
    const error = await installPlugin('bad', options).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
    expect(list()).toEqual(['good'])
    expect(readFileSync(join(dataFolder, 'plugins/package.json'), 'utf8')).toBe(before)
    expect(existsSync(join(dataFolder, 'plugins/node_modules/bad'))).toBe(false)
    expect(leftovers()).toEqual([])
  })

  test.each([
    ['--registry=x', 'HOLM_USAGE'],
    ['', 'HOLM_USAGE'],
    ['./nothing', 'HOLM_PLUGIN_NOT_FOUND'],
    ['/nothing.tgz', 'HOLM_PLUGIN_NOT_FOUND'],
  ])('%j never reaches npm', async (specifier, code) => {
    const { npm, options } = create()
    await expect(installPlugin(specifier, options)).rejects.toMatchObject({ code })
    expect(npm.calls).toEqual([])
  })

  test('two at once: one after another, both are there', async () => {
    const { npm, options, list } = create({ a: { name: 'a' }, b: { name: 'b' } })
    await Promise.all([installPlugin('a', options), installPlugin('b', options)])
    expect(list().toSorted()).toEqual(['a', 'b'])
    expect(npm.most()).toBe(1)
  })

  test('a holm killed between the renames is healed by the next change', async () => {
    const { options, list, leftovers, dataFolder } = create({ b: { name: 'b' } })
    writePlugin(join(dataFolder, 'plugins.previous/node_modules/a'), { name: 'a' })
    writeFiles(join(dataFolder, 'plugins.previous'), { 'package.json': '{"dependencies":{"a":"1.2.3"}}' })
    mkdirSync(join(dataFolder, 'plugins.staging/half'), { recursive: true })
    await installPlugin('b', options)
    expect(list()).toEqual(['a', 'b'])
    expect(leftovers()).toEqual([])
  })

  test('the wait for another holm ends at its deadline', async () => {
    const { dataFolder } = create()
    const gate = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    const holder = withPluginsLock({ dataFolder }, () => {
      held.resolve()
      return gate.promise
    })
    await held.promise
    await expect(
      withPluginsLock({ dataFolder, patienceMs: 10 }, () => Promise.resolve()),
    ).rejects.toMatchObject({
      code: 'HOLM_TIMEOUT',
      message: expect.stringContaining('another holm that changes plugins'),
    })
    await expect(
      withPluginsLock({ dataFolder, signal: AbortSignal.abort() }, () => Promise.resolve()),
    ).rejects.toMatchObject({ code: 'HOLM_INTERRUPTED' })
    gate.resolve()
    await holder
    expect(await withPluginsLock({ dataFolder, patienceMs: 0 }, () => Promise.resolve('free'))).toBe('free')
  })
})

describe('link', () => {
  test('uses the folder as it is, and removing leaves it alone', async () => {
    const { root, options, list, dataFolder } = create()
    writePlugin(join(root, 'mine'), { name: '@me/mine', manifest: { id: 'mine' } })
    expect(await linkPlugin('mine', options)).toMatchObject({
      name: '@me/mine',
      origin: 'linked',
      path: join(root, 'mine'),
    })
    expect(await linkPlugin('./mine', options)).toMatchObject({ name: '@me/mine' })
    expect(list()).toEqual(['@me/mine'])
    expect(await removePlugin('mine', options)).toEqual({ name: '@me/mine' })
    expect(list()).toEqual([])
    expect(existsSync(join(root, 'mine/package.json'))).toBe(true)
    expect(existsSync(join(dataFolder, 'plugins'))).toBe(false)
  })

  test('a linked package that was renamed or deleted since can be removed', async () => {
    const { root, options, list } = create()
    for (const name of ['one', 'two']) {
      writePlugin(join(root, name), { name })
      await linkPlugin(name, options)
    }
    writePlugin(join(root, 'one'), { name: 'renamed' })
    rmSync(join(root, 'two'), { recursive: true })
    expect(list()).toEqual(['renamed', 'two'])
    await removePlugin('renamed', options)
    await removePlugin('two', options)
    expect(list()).toEqual([])
  })

  test('what would fail later is refused now', async () => {
    const { root, options, list } = create({ x: { name: 'x', manifest: { id: 'taken' } } })
    await installPlugin('x', options)
    writePlugin(join(root, 'twin'), { name: 'twin', manifest: { id: 'taken' } })
    await expect(linkPlugin('twin', options)).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_DUPLICATE',
      plugin: 'twin',
    })
    await expect(linkPlugin('nowhere', options)).rejects.toMatchObject({ code: 'HOLM_PLUGIN_INVALID' })
    expect(list()).toEqual(['x'])
  })
})

test('a data folder that cannot be written says which and what to do', async () => {
  const { root, options } = create({ x: { name: 'x' } })
  writeFiles(root, { file: '' })
  mkdirSync(join(root, 'taken/plugins.lock'), { recursive: true })
  for (const dataFolder of [join(root, 'file/data'), join(root, 'taken')]) {
    await expect(installPlugin('x', { ...options, dataFolder })).rejects.toMatchObject({
      code: 'HOLM_CONFIG_UNREADABLE',
      message: expect.stringContaining(dataFolder),
      hint: expect.stringContaining('HOLM_HOME'),
    })
  }
})

describe('remove', () => {
  test('one of two, then the last: nothing is left', async () => {
    const { options, list, dataFolder } = create({ a: { name: 'a' }, b: { name: 'b' } })
    await installPlugin('a', options)
    await installPlugin('b', options)
    await removePlugin('a', options)
    expect(list()).toEqual(['b'])
    await removePlugin('b', options)
    expect(existsSync(join(dataFolder, 'plugins'))).toBe(false)
  })

  test('the last one of a damaged folder', async () => {
    const { options, dataFolder } = create()
    writeFiles(join(dataFolder, 'plugins'), { 'package.json': '{"dependencies":{"gone":"1.0.0"}}' })
    expect(await removePlugin('gone', options)).toEqual({ name: 'gone' })
    expect(existsSync(join(dataFolder, 'plugins'))).toBe(false)
  })

  test('unknown and bundled ones are refused', async () => {
    const { options } = create({ clock: { name: 'holm-clock', manifest: { id: 'clock' } } })
    await installPlugin('clock', options)
    await expect(removePlugin('holm-clok', options)).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_NOT_FOUND',
      hint: 'Did you mean holm-clock?',
    })
    await expect(removePlugin('docker', options)).rejects.toMatchObject({
      code: 'HOLM_USAGE',
      plugin: 'bundled',
    })
  })
})
