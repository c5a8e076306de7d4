import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestHolm, missingBuild, type TestHolm } from '../support/holm.ts'
import { errorOf, makeProject } from './support.ts'

let holm: TestHolm
beforeAll(() => {
  holm = createTestHolm()
})
afterAll(() => holm.dispose())
afterEach(async () => {
  await holm.run(['destroy', '--all', '--yes'])
})
beforeEach((ctx) => {
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
})

/** A project whose configuration loads one plugin from a file beside it. */
function makePluginProject(name: string, plugin: string): string {
  const project = makeProject(holm, name, { base: 'host' })
  writeFileSync(join(project, 'plugin.mjs'), plugin)
  writeFileSync(join(project, 'holm.config.json'), JSON.stringify({ plugins: ['./plugin.mjs'] }))
  return project
}

const define = (setup: string, contract = 1): string =>
  `import { definePlugin } from '@holm/core'\nexport default definePlugin({ name: 'broken', contract: ${contract}, setup(api) { ${setup} } })\n`

test.each([
  {
    title: 'throws at import',
    text: "throw new Error('no such luck')",
    code: 'HOLM_PLUGIN_LOAD',
    message: 'no such luck',
  },
  {
    title: 'throws in setup',
    text: define("throw new Error('bad day')"),
    code: 'HOLM_PLUGIN_SETUP',
    message: 'bad day',
  },
  { title: 'is for another contract', text: define('', 99), code: 'HOLM_PLUGIN_CONTRACT', message: '99' },
  { title: 'is no plugin', text: 'export const x = 1', code: 'HOLM_PLUGIN_INVALID', message: 'plugin.mjs' },
])('a plugin that $title is named, and everything else goes on', async ({ title, text, code, message }) => {
  const project = makePluginProject(title.replaceAll(' ', '-'), text)
  const ended = await holm.run(['up', '--provider', 'sandbox'], { cwd: project })
  expect(ended.code, ended.stderr).toBe(0)
  expect(ended.stderr).toMatch(/warning: .*plugin\.mjs/)
  const plugins = (await holm.json(['plugins', 'list'], { cwd: project })) as readonly Record<
    string,
    unknown
  >[]
  const broken = plugins.find(({ path }) => String(path).endsWith('plugin.mjs'))
  expect(broken).toMatchObject({ error: { code, message: expect.stringContaining(message) } })
  await expect(holm.run(['destroy', '--yes'], { cwd: project })).resolves.toMatchObject({ code: 0 })
})

test('a tap that throws before something vetoes it, with the name of the plugin', async () => {
  const project = makePluginProject(
    'veto',
    define("api.hook('beforeUp', () => { throw new Error('not on a Friday') })"),
  )
  const ended = await holm.run(['up', '--provider', 'sandbox', '--json'], { cwd: project })
  expect(ended.code).toBe(4)
  expect(errorOf(ended)).toMatchObject({
    code: 'HOLM_HOOK_VETO',
    message: expect.stringContaining('not on a Friday'),
    plugin: expect.stringContaining('plugin.mjs'),
  })
  await expect(holm.json(['list', '--all'])).resolves.toEqual([])
})

test('a tap that throws afterwards is a warning', async () => {
  const project = makePluginProject(
    'after',
    define("api.hook('afterUp', () => { throw new Error('too late') })"),
  )
  const ended = await holm.run(['up', '--provider', 'sandbox'], { cwd: project })
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/warning: .*too late/) })
  await holm.run(['destroy', '--yes'], { cwd: project })
})

test('two providers of one id are named with both paths, and neither wins', async () => {
  const project = makeProject(holm, 'duplicate', { base: 'host' })
  const manifest = {
    name: 'other-sandbox',
    version: '1.0.0',
    type: 'module',
    main: 'index.js',
    holm: { kind: 'provider', id: 'sandbox', contract: 1, entry: './index.js' },
  }
  const folder = join(project, 'other')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'index.js'), define(''))
  writeFileSync(join(project, 'holm.config.json'), JSON.stringify({ plugins: ['./other'] }))
  const ended = await holm.run(['up', '--provider', 'sandbox', '--json'], { cwd: project })
  expect(ended.code).toBe(4)
  expect(errorOf(ended)).toMatchObject({
    code: 'HOLM_PLUGIN_DUPLICATE',
    message: expect.stringMatching(/provider-sandbox[\s\S]*other|other[\s\S]*provider-sandbox/),
  })
})
