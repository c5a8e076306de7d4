import { defineConfig } from 'tsup'
import { builtinModulesPlugin } from './builtin-modules.ts'

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
    // With tsup's plugin for the prefix `node:`, ours would never see an import.
    removeNodeProtocol: false,
    esbuildPlugins: [...(overrides.esbuildPlugins ?? []), builtinModulesPlugin],
  })
}
