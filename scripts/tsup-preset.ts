import { defineConfig } from 'tsup'

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
  })
}
