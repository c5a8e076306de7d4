// Runs every generator of scripts/generators/. With --check nothing is written: drift is an error.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './root.ts'

/** What a file in scripts/generators/ exports by default. */
export interface Generator {
  readonly name: string
  /** Contents by path, relative to the repository's root. */
  generate(): Promise<Readonly<Record<string, string>>>
}

async function loadGenerators(): Promise<Generator[]> {
  const folder = join(root, 'scripts', 'generators')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  const modules = names.toSorted().map(async (name) => {
    const loaded = (await import(pathToFileURL(join(folder, name)).href)) as { default: Generator }
    return loaded.default
  })
  return Promise.all(modules)
}

async function readExisting(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Returns the paths whose content differs from what the generator says. */
async function applyGenerator(generator: Generator, check: boolean): Promise<string[]> {
  const changed: string[] = []
  for (const [path, content] of Object.entries(await generator.generate())) {
    const target = join(root, path)
    if ((await readExisting(target)) === content) continue
    changed.push(path)
    if (check) continue
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, content)
  }
  return changed
}

async function main(): Promise<void> {
  const check = process.argv.includes('--check')
  let drift = 0
  for (const generator of await loadGenerators()) {
    const changed = await applyGenerator(generator, check)
    drift += changed.length
    for (const path of changed) console.log(`${generator.name}: ${check ? 'out of date' : 'wrote'} ${path}`)
  }
  if (check && drift > 0) {
    console.error('Generated files differ from their sources: run pnpm generate and commit the result.')
    process.exitCode = 1
  }
}

if (import.meta.main) await main()
