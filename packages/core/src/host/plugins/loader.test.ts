import { createFakeRunner, createPluginRecords } from '@holm/testkit'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createTempFolder, writePlugin } from '../../../test/plugin-fixture.ts'
import { createHooks } from '../hooks.ts'
import { discoverPlugins } from './discover.ts'
import { createLoader } from './loader.ts'

afterEach(() => void vi.useRealTimers())

describe('a plugin that does not end', () => {
  it.each([
    ['setup', { setup: 'globalThis.entered = "setup"; return new Promise(() => {})' }, 'HOLM_PLUGIN_SETUP'],
    [
      'import',
      { module: 'globalThis.entered = "import"; await new Promise(() => {}); export default {}' },
      'HOLM_PLUGIN_LOAD',
    ],
  ] as const)('its %s is given up, with its name', async (what, fixture, code) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const root = createTempFolder()
    const path = writePlugin(join(root, 'p'), {
      name: 'p',
      manifest: { kind: 'provider', id: 'demo' },
      ...fixture,
    })
    const [descriptor] = discoverPlugins({
      bundled: [path],
      dataFolder: root,
      configured: [],
      configFolder: root,
    })
    if (!descriptor) throw new Error('the fixture is not found')
    const loader = createLoader({
      hooks: createHooks({ onWarning: () => undefined }),
      registrations: { provided: new Map(), commands: new Map(), methods: new Map() },
      onWarning: () => undefined,
      onLoaded: () => undefined,
      apiFor: () => ({
        config: {},
        env: {},
        platform: 'linux',
        paths: { data: root, cache: root },
        namespace: 'test',
        log: { debug() {}, info() {}, warn() {} },
        note() {},
        runner: createFakeRunner([]),
        records: createPluginRecords,
      }),
    })
    const loaded = loader.load(descriptor)
    while (Reflect.get(globalThis, 'entered') !== what) await setImmediate()
    vi.runAllTimers()
    await expect(loaded).rejects.toMatchObject({
      code,
      message: `the ${what} of plugin p did not end within 10 s`,
      plugin: 'p',
    })
  })
})
