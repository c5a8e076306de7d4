import { createFakeRunner, createPluginRecords } from '@holm/testkit'
import { spawnSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  createTempFolder,
  writeFiles,
  writePlugin,
  type PluginFixture,
} from '../../../test/plugin-fixture.ts'
import type { HolmError } from '../../errors.ts'
import type { HostApi } from '../../host-api.ts'
import type { PluginDefinition } from '../../plugin.ts'
import { createHooks } from '../hooks.ts'
import { discoverPlugins, type ConfiguredPlugin } from './discover.ts'
import { createRegistry } from './registry.ts'

const provider = { kind: 'provider', id: 'demo' } as const
const provideDemo = `api.provide('provider', 'demo', () => ({ id: 'demo' }))`

function create(fixtures: readonly PluginFixture[], configured: readonly ConfiguredPlugin[] = []) {
  const root = createTempFolder()
  const bundled = fixtures.map((fixture, index) => writePlugin(join(root, String(index)), fixture))
  const descriptors = discoverPlugins({ bundled, dataFolder: root, configured, configFolder: root })
  const warnings: HolmError[] = []
  const failures: unknown[] = []
  const hooks = createHooks({ onWarning: (warning) => failures.push(warning) })
  const registry = createRegistry({
    descriptors,
    hooks,
    onWarning: (error) => warnings.push(error),
    apiFor: ({ id }) => ({
      config: { of: id },
      env: { SEEN: 'yes' },
      platform: 'linux',
      paths: { data: join(root, 'data', id), cache: join(root, 'cache', id) },
      namespace: 'test',
      log: { debug() {}, info() {}, warn() {} },
      note() {},
      runner: createFakeRunner([]),
      records: createPluginRecords,
    }),
  })
  return { registry, hooks, warnings, root }
}

const stop = { environment: 'demo', provider: 'memory' }

describe('get', () => {
  test('imports and sets up once for concurrent calls, and makes the object once', async () => {
    const setup = `globalThis.holmSetups = (globalThis.holmSetups ?? 0) + 1; ${provideDemo}`
    const { registry } = create([{ name: 'p', manifest: provider, setup }])
    expect(registry.ids('provider')).toEqual(['demo'])
    expect(registry.manifestOf('provider', 'demo')).toMatchObject({ id: 'demo' })
    expect(Reflect.get(globalThis, 'holmSetups')).toBeUndefined()
    const [one, two] = await Promise.all([registry.get('provider', 'demo'), registry.get('provider', 'demo')])
    expect(one.id).toBe('demo')
    expect(two).toBe(one)
    expect(await registry.get('provider', 'demo')).toBe(one)
    expect(Reflect.get(globalThis, 'holmSetups')).toBe(1)
    Reflect.deleteProperty(globalThis, 'holmSetups')
  })

  test('an unknown id says which was probably meant, or how to install', async () => {
    const { registry } = create([{ name: 'p', manifest: { ...provider, id: 'docker' } }])
    await expect(registry.get('provider', 'dokcer')).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_NOT_FOUND',
      message: 'no plugin has provider dokcer',
      hint: 'Did you mean docker?',
    })
    await expect(registry.get('mesh', 'tailscale')).rejects.toMatchObject({
      hint: expect.stringContaining('holm plugins install'),
    })
  })

  test.each<[string, Partial<PluginFixture>, string, RegExp]>([
    [
      'throws at import',
      { module: 'throw new Error("boom")' },
      'HOLM_PLUGIN_LOAD',
      /could not be imported: boom/,
    ],
    ['has a syntax error', { module: 'export default {' }, 'HOLM_PLUGIN_LOAD', /could not be imported/],
    [
      'throws in setup',
      { setup: 'throw new Error("boom")' },
      'HOLM_PLUGIN_SETUP',
      /failed in its setup: boom/,
    ],
    [
      'has no definition',
      { module: 'export default 1' },
      'HOLM_PLUGIN_INVALID',
      /no default export made by definePlugin/,
    ],
    [
      'registers nothing',
      { setup: '' },
      'HOLM_PLUGIN_INVALID',
      /lists provider\/demo and did not register it/,
    ],
    [
      'provides another id',
      { setup: `api.provide('provider', 'other', () => ({}))` },
      'HOLM_PLUGIN_INVALID',
      /registers provider other, which its manifest does not list/,
    ],
    [
      'makes an object of another id',
      { setup: `api.provide('provider', 'demo', () => ({ id: 'x' }))` },
      'HOLM_PLUGIN_INVALID',
      /provides provider "x" as "demo"/,
    ],
    [
      'throws in its factory',
      { setup: `api.provide('provider', 'demo', () => { throw new Error('boom') })` },
      'HOLM_PLUGIN_SETUP',
      /could not make provider demo: boom/,
    ],
    [
      'names itself differently',
      { module: `export default { name: 'q', contract: 1, setup() {} }` },
      'HOLM_PLUGIN_INVALID',
      /names itself "q"/,
    ],
    [
      'is of another contract than its manifest',
      { module: `export default { name: 'p', contract: 2, setup() {} }` },
      'HOLM_PLUGIN_INVALID',
      /written for contract 2/,
    ],
    [
      'has no entry',
      { manifest: { ...provider, entry: './none.js' } },
      'HOLM_PLUGIN_INVALID',
      /none\.js of p does not exist/,
    ],
    [
      'needs another contract',
      { manifest: { ...provider, contract: 7 } },
      'HOLM_PLUGIN_CONTRACT',
      /contract 7/,
    ],
  ])('a plugin that %s', async (...[, fixture, code, message]) => {
    const { registry } = create([{ name: 'p', manifest: provider, ...fixture }])
    const failing = () => registry.get('provider', 'demo')
    await expect(failing()).rejects.toMatchObject({
      code,
      plugin: 'p',
      message: expect.stringMatching(message),
    })
    await expect(failing()).rejects.toMatchObject({ code })
  })

  test('an entry that is a symbolic link out of the package is refused', async () => {
    const { registry, root } = create([{ name: 'p', manifest: { ...provider, entry: './link.js' } }])
    writeFileSync(join(root, 'outside.js'), 'globalThis.holmEscaped = true')
    symlinkSync(join(root, 'outside.js'), join(root, '0', 'link.js'))
    await expect(registry.get('provider', 'demo')).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_INVALID',
      message: expect.stringContaining('leads outside the package'),
    })
    expect(Reflect.has(globalThis, 'holmEscaped')).toBe(false)
  })
})

describe('hooks', () => {
  const manifest = { hooks: ['beforeStop'] } as const
  const veto = `api.hook('beforeStop', () => { throw new Error(api.name) })`

  test('only the plugins whose manifests name the hook are loaded', async () => {
    const { registry, hooks, warnings } = create([
      { name: 'stopper', manifest, setup: veto },
      { name: 'other', manifest: { hooks: ['afterUp'] }, module: 'throw new Error("must not be imported")' },
    ])
    await registry.loadForHooks(['beforeStop'])
    await expect(hooks.before('beforeStop', stop)).rejects.toMatchObject({
      code: 'HOLM_HOOK_VETO',
      plugin: 'stopper',
    })
    expect(warnings).toEqual([])
  })

  test('a plugin that fails is one warning with its name, and the others work', async () => {
    const { registry, hooks, warnings } = create([
      { name: 'broken', manifest, module: 'throw new Error("boom")' },
      { name: 'half', manifest, setup: `${veto}; throw new Error('half-way')` },
      { name: 'elsewhere', manifest: { ...manifest, platforms: ['aix'] } },
      { name: 'old', manifest: { ...manifest, contract: 0 } },
    ])
    await registry.loadForHooks(['beforeStop'])
    await registry.loadForHooks(['beforeStop'])
    expect(warnings.map(({ code, plugin }) => [code, plugin])).toEqual([
      ['HOLM_PLUGIN_LOAD', 'broken'],
      ['HOLM_PLUGIN_SETUP', 'half'],
      ['HOLM_PLUGIN_CONTRACT', 'old'],
    ])
    expect(hooks.tapped('beforeStop')).toBe(false)
  })

  test('a tap that the manifest does not list is refused: it would not be loaded in time', async () => {
    const { registry, warnings } = create([{ name: 'p', manifest: { hooks: ['afterUp'] }, setup: veto }])
    await registry.loadForHooks(['afterUp'])
    expect(warnings).toMatchObject([
      { code: 'HOLM_PLUGIN_INVALID', message: expect.stringContaining('hook beforeStop') },
    ])
  })

  test('unload undoes taps, commands and disposers, last first; the next use loads again', async () => {
    const { registry, hooks, warnings } = create([
      {
        name: 'p',
        manifest,
        setup: `${veto}
          api.onDispose(() => { throw new Error('first') })
          api.onDispose(async () => { throw new Error('second') })`,
      },
    ])
    await registry.loadForHooks(['beforeStop'])
    expect(hooks.tapped('beforeStop')).toBe(true)
    await registry.unload('p')
    expect(hooks.tapped('beforeStop')).toBe(false)
    expect(warnings.map(({ message }) => message)).toEqual([
      'plugin p failed while it was unloaded: second',
      'plugin p failed while it was unloaded: first',
    ])
    await registry.loadForHooks(['beforeStop'])
    expect(hooks.tapped('beforeStop')).toBe(true)
    await registry.close()
    expect(hooks.tapped('beforeStop')).toBe(false)
  })
})

describe('commands and methods', () => {
  const greet = { id: 'hello greet', summary: 'Greets.', examples: [] }
  const fixture: PluginFixture = {
    name: 'hello',
    manifest: { commands: [greet, { ...greet, id: 'hello bye' }], methods: ['greet'] },
    setup: `
      api.command({ id: 'hello greet', summary: 'Greets.', examples: [], async run() { return { data: api.config.of + api.env.SEEN } } })
      api.method('greet', (host, who) => host.namespace + who)`,
  }

  test('are listed from the manifest and loaded by need', async () => {
    const { registry } = create([fixture])
    expect((await registry.commands()).map(({ id, plugin }) => [id, plugin])).toEqual([
      ['hello greet', 'hello'],
      ['hello bye', 'hello'],
    ])
    const command = await registry.loadCommand('hello greet')
    expect(await command.run({} as never)).toEqual({ data: 'helloyes' })
    await expect(registry.loadCommand('hello bye')).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_INVALID',
      plugin: 'hello',
    })
    await expect(registry.loadCommand('hello gret')).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_NOT_FOUND',
      hint: 'Did you mean hello greet?',
    })
  })

  test('methods are bound to the host and load their plugin', async () => {
    const { registry } = create([fixture])
    const methods = registry.bindMethods({ namespace: 'n' } as unknown as HostApi)
    expect(Object.keys(methods)).toEqual(['greet'])
    expect(await methods['greet']?.('you' as never)).toBe('nyou')
  })

  test('two plugins with one command: the second is refused', async () => {
    const { registry, warnings } = create([
      { ...fixture, manifest: { ...fixture.manifest, hooks: ['afterUp'] } },
      { ...fixture, name: 'second', manifest: { ...fixture.manifest, hooks: ['afterUp'] } },
    ])
    await registry.loadForHooks(['afterUp'])
    expect(warnings).toMatchObject([
      {
        code: 'HOLM_PLUGIN_DUPLICATE',
        plugin: 'second',
        message: expect.stringContaining('hello greet of plugin second is already taken by hello'),
      },
    ])
  })
})

describe('plugins of the configuration', () => {
  test('an inline definition needs no manifest: hooks, commands, methods and providers are found by loading it', async () => {
    const inline: PluginDefinition = {
      name: 'inline',
      contract: 1,
      setup(api) {
        api.provide('mesh', 'wire', () => ({ id: 'wire' }))
        api.command({ id: 'wire up', summary: 'Wires.', examples: [], run: () => Promise.resolve() })
        api.method('wire', () => 'wired')
        api.hook('beforeStop', () => Promise.reject(new Error('no')))
      },
    }
    const { registry, hooks } = create([], [inline])
    const methods = registry.bindMethods({} as HostApi)
    expect(await registry.get('mesh', 'wire')).toEqual({ id: 'wire' })
    expect(registry.ids('mesh')).toEqual(['wire'])
    expect((await registry.commands()).map(({ id }) => id)).toEqual(['wire up'])
    expect(await methods['wire']?.()).toBe('wired')
    expect(hooks.tapped('beforeStop')).toBe(true)
  })

  test('options win over the section, and both meet the schema of the plugin', async () => {
    const seen: unknown[] = []
    const inline: PluginDefinition = {
      name: 'strict',
      contract: 1,
      configSchema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => {
            seen.push(value)
            return { issues: [{ message: 'must be a number', path: ['limits', { key: 'cpu' }] }] }
          },
        },
      },
      setup() {},
    }
    const { registry, warnings } = create([], [inline])
    await registry.commands()
    expect(seen).toEqual([{ of: 'strict' }])
    expect(warnings).toMatchObject([
      {
        code: 'HOLM_CONFIG_INVALID',
        plugin: 'strict',
        message: 'plugin.strict.limits.cpu: must be a number',
      },
    ])
  })

  test('a schema that throws is a failure of its plugin', async () => {
    const validate = (): never => {
      throw new TypeError('boom')
    }
    const { registry, warnings } = create(
      [],
      [
        {
          name: 'odd',
          contract: 1,
          configSchema: { '~standard': { version: 1, vendor: 'x', validate } },
          setup() {},
        },
      ],
    )
    await registry.commands()
    expect(warnings).toMatchObject([{ code: 'HOLM_PLUGIN_SETUP', plugin: 'odd' }])
  })

  // In a process of its own: vitest's module runner does not ask the resolve hooks of Node.
  test('a TypeScript file imports the contract from this host, wherever it lies', () => {
    const folder = createTempFolder()
    writeFiles(folder, {
      'plugin.ts': `
        import { HolmError, contractVersion, definePlugin } from '@holm/core'
        export default definePlugin({ name: 'file', contract: contractVersion as number, setup(api) {
          api.method('fail', () => { throw new HolmError('HOLM_USAGE', 'from the file') })
        } })`,
      'main.mjs': `
        const [registry, discover, hooks, errors] = await Promise.all(process.argv.slice(2).map((url) => import(url)))
        const descriptors = discover.discoverPlugins({ bundled: [], dataFolder: '/nonexistent', configured: ['./plugin.ts'], configFolder: import.meta.dirname })
        const onWarning = (error) => console.log('warning', error.message)
        const created = registry.createRegistry({ descriptors, onWarning, hooks: hooks.createHooks({ onWarning }), apiFor: () => ({}) })
        const methods = created.bindMethods({})
        await created.commands()
        await methods.fail().catch((error) => console.log(error instanceof errors.HolmError, error.message))
`,
    })
    const modules = ['./registry.ts', './discover.ts', '../hooks.ts', '../../errors.ts']
    const urls = modules.map((path) => new URL(path, import.meta.url).href)
    const argv = ['--conditions=holm-source', join(folder, 'main.mjs'), ...urls]
    const { stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
    expect(stdout).toBe('true from the file\n')
    expect(stderr).toBe('')
  })
})

test('a plugin of the configuration that is not there is told of, once', async () => {
  const { registry, warnings, root } = create([], ['./none.mjs'])
  await registry.loadForHooks(['beforeStop'])
  await registry.loadForHooks(['afterUp'])
  expect(warnings.map(({ code, message }) => ({ code, message }))).toEqual([
    { code: 'HOLM_PLUGIN_NOT_FOUND', message: `no plugin at ${join(root, 'none.mjs')}` },
  ])
})
