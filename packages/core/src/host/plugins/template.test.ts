import { readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createTempFolder, writeFiles } from '../../../test/plugin-fixture.ts'
import { createPlugin } from './template.ts'
import { parseManifest } from './manifest.ts'

test('a new plugin carries its own names everywhere, and its test passes', async () => {
  const folder = join(createTempFolder(), 'new')
  const { files } = await createPlugin({ folder, name: '@acme/holm-plugin-time-zone' })
  expect(files).toEqual(['README.md', 'index.js', 'package.json', join('test', 'plugin.test.js')])
  const { manifest } = parseManifest(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')), folder)
  expect(manifest).toMatchObject({
    id: 'time-zone',
    commands: [{ id: 'time-zone greet' }],
    methods: ['timeZoneGreeting'],
  })
  const all = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')
  expect(all).not.toMatch(/plugin-minimal|\bhello\b|helloGreeting|workspace:/)

  // Stands in for `npm install`, which would put the peer @holm/core there.
  const contract = new URL('../../index.ts', import.meta.url).href
  writeFiles(folder, {
    'node_modules/@holm/core/package.json': '{"name":"@holm/core","type":"module","exports":"./index.js"}',
    'node_modules/@holm/core/index.js': `export * from ${JSON.stringify(contract)}`,
  })
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--test'], {
    cwd: folder,
    encoding: 'utf8',
    env,
  })
  expect([status, stderr, /pass 4/.exec(stdout)?.[0] ?? stdout]).toEqual([0, '', 'pass 4'])
})

test.each(['Upper', '', '../x', 'holm-plugin-', '@acme/1st', `x${'y'.repeat(40)}`])(
  '%j is no name',
  async (name) => {
    const folder = join(createTempFolder(), 'new')
    await expect(createPlugin({ folder, name })).rejects.toMatchObject({ code: 'HOLM_NAME_INVALID' })
  },
)

test('a folder with files in it is left alone', async () => {
  const folder = createTempFolder()
  writeFiles(folder, { mine: '' })
  await expect(createPlugin({ folder, name: 'x' })).rejects.toMatchObject({ code: 'HOLM_USAGE' })
})
