import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { memoryManifest, memoryPlugin } from './memory/index.ts'
import { memoryEntry, writePluginPackage } from './plugin-package.ts'
import { createTempProject } from './temp-project.ts'

it('writes a package that can be imported', async () => {
  const folder = await createTempProject()
  await writePluginPackage(folder, { name: 'holm-memory', manifest: memoryManifest, entry: memoryEntry() })
  const { default: pkg } = await import(pathToFileURL(join(folder, 'package.json')).href, {
    with: { type: 'json' },
  })
  expect(pkg).toMatchObject({ name: 'holm-memory', holm: { kind: 'provider', id: 'memory' } })
  const { default: plugin } = await import(pathToFileURL(join(folder, 'index.js')).href)
  expect(plugin.name).toBe(memoryPlugin.name)
})
