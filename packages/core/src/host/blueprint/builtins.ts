import { readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { BlueprintEntry } from '../../host-api.ts'

/** Folder with the built-in blueprints, wherever the bundler put this code. */
export function builtinsFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@holm/core/package.json')), 'blueprints')
}

/** Names of the built-in blueprints, sorted. */
export async function listBuiltinNames(): Promise<string[]> {
  const files = await readdir(builtinsFolder())
  return files.flatMap((file) => /^(.+)\.yaml$/.exec(file)?.[1] ?? []).toSorted()
}

export function builtinPath(name: string): string {
  return join(builtinsFolder(), `${name}.yaml`)
}

/** Every built-in with its description and base, for `holm blueprint list`. */
export async function listBuiltins(): Promise<readonly BlueprintEntry[]> {
  const { parseDocument } = await import('./parse-document.ts')
  const { readSource } = await import('./blueprint-context.ts')
  const names = await listBuiltinNames()
  return Promise.all(
    names.map(async (name) => {
      const text = await readSource({ kind: 'builtin', name, path: builtinPath(name) })
      const { value } = await parseDocument(text, `${name}.yaml`)
      const { description = '', base = '' } = value as { description?: string; base?: unknown }
      return {
        name,
        description,
        base: typeof base === 'string' ? base : JSON.stringify(base),
        source: `builtin:${name}`,
      }
    }),
  )
}
