import { readFile, readdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Generator } from '../generate.ts'
import { root } from '../root.ts'

const source = 'examples/plugin-minimal'
const target = 'packages/core/templates/plugin-minimal'
const ignored = 'node_modules'

/** What belongs to this workspace and not to a plugin of someone else. */
function cleanManifest(content: string): string {
  const {
    private: _private,
    devDependencies: _devDependencies,
    license: _license,
    ...manifest
  } = JSON.parse(content) as Record<string, unknown>
  return `${JSON.stringify(manifest, null, 2)}\n`
}

async function readFolder(folder: string): Promise<[string, string][]> {
  const entries = await readdir(join(root, source, folder), { withFileTypes: true })
  const kept = entries.filter(({ name }) => name !== ignored).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const nested = kept.map(async (entry): Promise<[string, string][]> => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return readFolder(path)
    const content = await readFile(join(root, source, path), 'utf8')
    return [[posix.join(target, path), path === 'package.json' ? cleanManifest(content) : content]]
  })
  return (await Promise.all(nested)).flat()
}

const generator: Generator = {
  name: 'template',
  generate: async () => Object.fromEntries(await readFolder('')),
}

export default generator
