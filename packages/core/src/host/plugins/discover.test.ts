import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createTempFolder, writeFiles, writePlugin } from '../../../test/plugin-fixture.ts'
import { describePlugin } from './descriptor.ts'
import { discoverPlugins, type DiscoverOptions } from './discover.ts'

function discover(options: Partial<DiscoverOptions>) {
  return discoverPlugins({
    bundled: [],
    dataFolder: '/nonexistent',
    configured: [],
    configFolder: '/nonexistent',
    ...options,
  })
}

describe('where plugins come from', () => {
  test('bundled, installed, linked, configured and inline; nothing is imported', () => {
    const root = createTempFolder()
    const module = 'throw new Error("imported")'
    const bundled = writePlugin(join(root, 'bundled'), { name: 'bundled', module })
    writePlugin(join(root, 'data/plugins/node_modules/@a/installed'), {
      name: '@a/installed',
      manifest: { id: 'inst' },
      module,
    })
    writePlugin(join(root, 'data/plugins/node_modules/unlisted'), { name: 'unlisted', module })
    writeFiles(join(root, 'data/plugins'), {
      'package.json': JSON.stringify({ dependencies: { '@a/installed': '1.2.3' } }),
      'links.json': JSON.stringify({ linked: join(root, 'linked') }),
    })
    writePlugin(join(root, 'linked'), { name: 'linked', module })
    writePlugin(join(root, 'project/node_modules/local'), { name: 'local', module })
    writePlugin(join(root, 'project/tools/folder'), { name: 'folder', module })
    writeFiles(join(root, 'project'), { 'one.js': module })
    const inline = { name: 'inline', contract: 1, setup() {} }
    const found = discover({
      bundled: [bundled],
      dataFolder: join(root, 'data'),
      configured: ['local', ['./tools/folder', { a: 1 }], './one.js', inline],
      configFolder: join(root, 'project'),
    })
    expect(found.map(({ origin, name, id, error }) => [origin, name, id, error])).toEqual([
      ['bundled', 'bundled', 'bundled', undefined],
      ['installed', '@a/installed', 'inst', undefined],
      ['linked', 'linked', 'linked', undefined],
      ['config', 'local', 'local', undefined],
      ['config', 'folder', 'folder', undefined],
      ['config', join(root, 'project/one.js'), 'one', undefined],
      ['inline', 'inline', 'inline', undefined],
    ])
    expect(found[4]?.options).toEqual({ a: 1 })
    expect(found[1]).toMatchObject({
      version: '1.2.3',
      path: join(root, 'data/plugins/node_modules/@a/installed'),
    })
  })

  test('a bundled plugin named in the configuration is one plugin, with the options', () => {
    const root = createTempFolder()
    const bundled = writePlugin(join(root, 'x'), { name: 'x' })
    const found = discover({ bundled: [bundled], configured: [['x', { a: 1 }]] })
    expect(found).toMatchObject([{ name: 'x', origin: 'bundled', options: { a: 1 } }])
    expect(found[0]?.error).toBeUndefined()
  })
})

describe('what is wrong is kept on the descriptor', () => {
  test('an unfitting contract, older and newer', () => {
    const root = createTempFolder()
    const old = writePlugin(join(root, 'old'), { name: 'old', manifest: { contract: 0 } })
    const future = writePlugin(join(root, 'new'), { name: 'new', manifest: { contract: 2 } })
    expect(
      discover({ bundled: [old, future] }).map(({ error }) => [
        error?.code,
        error?.plugin,
        error?.message,
        error?.hint,
      ]),
    ).toEqual([
      [
        'HOLM_PLUGIN_CONTRACT',
        'old',
        'plugin old is written for contract 0, this holm has 1',
        'Install a newer version: holm plugins install old@latest',
      ],
      [
        'HOLM_PLUGIN_CONTRACT',
        'new',
        'plugin new is written for contract 2, this holm has 1',
        'Upgrade holm.',
      ],
    ])
  })

  test('another platform', () => {
    const root = createTempFolder()
    const wsl = writePlugin(join(root, 'wsl'), { name: 'wsl', manifest: { platforms: ['win32'] } })
    expect(discover({ bundled: [wsl], platform: 'linux' })[0]?.error).toMatchObject({
      code: 'HOLM_PLUGIN_PLATFORM',
      message: 'plugin wsl runs on win32, not on linux',
    })
    expect(discover({ bundled: [wsl], platform: 'win32' })[0]?.error).toBeUndefined()
  })

  test('two plugins of one kind and id: both are refused, naming both paths', () => {
    const root = createTempFolder()
    const manifest = { kind: 'provider', id: 'docker' } as const
    const bundled = writePlugin(join(root, 'a'), { name: 'a', manifest })
    writePlugin(join(root, 'b'), { name: 'b', manifest })
    writeFiles(root, { 'plugins/links.json': JSON.stringify({ b: join(root, 'b') }) })
    const errors = discover({ bundled: [bundled], dataFolder: root }).map(({ error }) => error)
    expect(errors.map((error) => error?.code)).toEqual(['HOLM_PLUGIN_DUPLICATE', 'HOLM_PLUGIN_DUPLICATE'])
    expect(errors[0]?.message).toBe(
      `two plugins are provider docker: ${join(root, 'a')} and ${join(root, 'b')}`,
    )
    expect(errors[0]?.hint).toBe('Remove one: holm plugins remove b')
  })

  test('one id of two kinds is no duplicate', () => {
    const root = createTempFolder()
    const one = writePlugin(join(root, 'a'), { name: 'a', manifest: { kind: 'provider', id: 'x' } })
    const two = writePlugin(join(root, 'b'), { name: 'b', manifest: { kind: 'mesh', id: 'x' } })
    expect(discover({ bundled: [one, two] }).every(({ error }) => !error)).toBe(true)
  })

  test('broken and missing package.json, unknown packages and paths', () => {
    const root = createTempFolder()
    writeFiles(root, {
      'plugins/package.json': JSON.stringify({
        dependencies: { broken: '1.0.0', gone: '1.0.0', plain: '1.0.0' },
      }),
      'plugins/node_modules/broken/package.json': '{ "name": ',
      'plugins/node_modules/plain/package.json': '{ "name": "plain" }',
    })
    const found = discover({ dataFolder: root, configured: ['nowhere', './nothing.js'], configFolder: root })
    expect(found.map(({ name, error }) => [name, error?.code])).toEqual([
      ['broken', 'HOLM_PLUGIN_INVALID'],
      ['gone', 'HOLM_PLUGIN_INVALID'],
      ['plain', 'HOLM_PLUGIN_INVALID'],
      ['nowhere', 'HOLM_PLUGIN_NOT_FOUND'],
      [join(root, 'nothing.js'), 'HOLM_PLUGIN_NOT_FOUND'],
    ])
    expect(found[0]?.error?.message).toContain(join(root, 'plugins/node_modules/broken'))
    expect(describePlugin(found[3]!)).toMatchObject({
      error: { code: 'HOLM_PLUGIN_NOT_FOUND', hint: 'Install it: holm plugins install nowhere' },
    })
  })

  test('broken files of holm itself do not throw', () => {
    const root = createTempFolder()
    writeFiles(root, { 'plugins/package.json': '', 'plugins/links.json': '[' })
    expect(discover({ dataFolder: root })).toEqual([])
  })
})
