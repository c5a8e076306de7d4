import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'tsup'
import { scriptBundle } from './script-bundle.ts'
import { requireBanner } from './set-aside.ts'
import { builtinModulesPlugin } from './builtin-modules.ts'
import { root } from './root.ts'

type Overrides = Exclude<Parameters<typeof defineConfig>[0], unknown[] | ((...args: never[]) => unknown)>

/** What every package shares; `entry` is a record, so that dist keeps the structure of src whatever the number of entries. */
export function preset(
  entry: Record<string, string>,
  overrides: Overrides = {},
): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: 'esm',
    target: 'node24',
    platform: 'node',
    // TypeScript 7 has no compiler API for tsup's dts; `tsc --emitDeclarationOnly` follows tsup in every build script.
    dts: false,
    sourcemap: true,
    clean: true,
    ...overrides,
    define: { HOLM_BUILD: JSON.stringify(hashBlueprintSources()), ...overrides.define },
    // With tsup's plugin for the prefix `node:`, ours would never see an import.
    removeNodeProtocol: false,
    esbuildPlugins: [...(overrides.esbuildPlugins ?? []), builtinModulesPlugin],
  })
}

/**
 * What providers share: built as a script, too, which the CLI loads in less time than a module.
 * What they bundle of CommonJS asks for Node's own modules with `require`, which ES modules lack.
 */
export function providerPreset(overrides: Overrides = {}): ReturnType<typeof defineConfig> {
  const entry = 'src/index.ts'
  return preset(
    { index: entry },
    {
      banner: { js: requireBanner },
      ...overrides,
      esbuildPlugins: [scriptBundle('index', entry), ...(overrides.esbuildPlugins ?? [])],
    },
  )
}

/** What is remembered of a blueprint holds as long as the code that reads blueprints is the same. */
function hashBlueprintSources(): string {
  const folder = join(root, 'packages', 'core', 'src')
  const hash = createHash('sha256')
  for (const path of globSync('{blueprint.ts,host/blueprint/**/*.ts}', { cwd: folder }).toSorted())
    hash.update(path).update(readFileSync(join(folder, path)))
  return hash.digest('hex').slice(0, 16)
}
