import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { discoverPlugins } from '../src/host/plugins/discover.ts'
import { installPlugin, removePlugin } from '../src/host/plugins/manage.ts'
import { npmPack } from '../src/host/plugins/npm.ts'
import { createRunner } from '../src/host/runner.ts'
import { createTempFolder, writePlugin } from './plugin-fixture.ts'

const example = join(import.meta.dirname, '../../../examples/plugin-minimal')
const runner = createRunner({ env: process.env })

// The real npm, without a network: the plugin has no dependencies.
describe('the minimal plugin as a packed tarball', () => {
  test('is installed, listed, used and removed; nothing is left', async () => {
    const root = createTempFolder()
    const dataFolder = join(root, 'data')
    const options = { dataFolder, bundled: [], cwd: root, runner }
    const tarball = await npmPack(example, join(root, 'packed'), { runner })

    const installed = await installPlugin(tarball, options)
    // The tarball of the user may go: the next npm run must not need it.
    await rm(tarball)
    expect(installed).toMatchObject({
      name: 'holm-plugin-minimal',
      id: 'hello',
      kind: 'feature',
      origin: 'installed',
      commands: ['hello greet'],
      hooks: ['resolveSpec'],
    })
    expect(existsSync(join(dataFolder, 'plugins/node_modules/@holm'))).toBe(false)
    expect(await usePlugin(dataFolder)).toEqual({
      names: [['holm-plugin-minimal', '0.1.0', 'installed']],
      commands: [['hello greet', 'holm-plugin-minimal']],
      result: { data: { greeting: 'HELLO, ADA!' }, text: 'HELLO, ADA!' },
      failure: 'HOLM_USAGE',
      env: { GREETING: 'Hello, demo!' },
      greeting: 'Hello, Grace!',
      tapped: false,
      warnings: [],
    })

    // Again, from the folder: replaced, and still one.
    await installPlugin(example, options)
    const found = discoverPlugins({ bundled: [], dataFolder, configured: [], configFolder: root })
    expect(found.map(({ name, error }) => [name, error])).toEqual([['holm-plugin-minimal', undefined]])
    expect(readdirSync(join(dataFolder, 'plugins/tarballs'))).toHaveLength(1)

    writePlugin(join(root, 'second'), { name: 'second' })
    await installPlugin('./second', options)
    await removePlugin('hello', options)
    const left = discoverPlugins({ bundled: [], dataFolder, configured: [], configFolder: root })
    expect(left.map(({ name, error }) => [name, error])).toEqual([['second', undefined]])
    expect(existsSync(join(dataFolder, 'plugins/node_modules/holm-plugin-minimal'))).toBe(false)
    expect(readdirSync(join(dataFolder, 'plugins/tarballs'))).toHaveLength(1)
    await removePlugin('second', options)
    expect(readdirSync(dataFolder)).toEqual(['plugins.lock'])
  })

  test('a folder that is no plugin is refused and nothing is left', async () => {
    const root = createTempFolder()
    const dataFolder = join(root, 'data')
    writePlugin(join(root, 'plain'), { name: 'plain', packageJson: { holm: undefined } })
    const installing = installPlugin('./plain', { dataFolder, bundled: [], cwd: root, runner })
    await expect(installing).rejects.toMatchObject({
      code: 'HOLM_PLUGIN_INVALID',
      message: expect.stringContaining('./plain was not added, nothing is changed'),
    })
    expect(readdirSync(dataFolder)).toEqual(['plugins.lock'])
  })
})

async function usePlugin(dataFolder: string): Promise<unknown> {
  const script = fileURLToPath(new URL('./use-plugin.ts', import.meta.url))
  const argv = [process.execPath, '--conditions=holm-source', script, dataFolder]
  const { stdout, stderr, code } = await runner.run(argv)
  expect([stderr, code]).toEqual(['', 0])
  return JSON.parse(stdout)
}
