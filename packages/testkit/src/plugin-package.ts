import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PluginManifest } from '@holm/core'

export interface PluginPackage {
  /** Name of the package. */
  readonly name: string
  /** The `holm` key; absent: a package that is no plugin. */
  readonly manifest?: PluginManifest | Readonly<Record<string, unknown>>
  /** Text of the entry module. */
  readonly entry?: string
  /** More keys of package.json. */
  readonly packageJson?: Readonly<Record<string, unknown>>
}

/** Writes a plugin package into `folder` (made when missing): package.json and the entry the manifest names, default ./index.js. */
export async function writePluginPackage(folder: string, contents: PluginPackage): Promise<string> {
  const { name, manifest, entry, packageJson } = contents
  await mkdir(folder, { recursive: true })
  const json = { name, version: '1.0.0', type: 'module', ...packageJson, ...(manifest && { holm: manifest }) }
  await writeFile(join(folder, 'package.json'), JSON.stringify(json, null, 2))
  const path = typeof manifest?.entry === 'string' ? manifest.entry : './index.js'
  if (entry !== undefined) await writeFile(join(folder, path), entry)
  return folder
}

/** Entry of a package that provides the memory provider, loaded from this testkit by URL. */
export function memoryEntry(): string {
  return `export { default } from ${JSON.stringify(import.meta.resolve('@holm/testkit/memory'))}\n`
}
