import { realpathSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { HolmError } from '../../errors.ts'
import type { PluginDefinition } from '../../plugin.ts'
import { isBelow } from '../inside-folder.ts'
import type { PluginDescriptor } from './descriptor.ts'

/** Imports the entry module, by its path, of a plugin that comes with the program. */
export type ImportBundled = (entry: string) => Promise<{ readonly default?: unknown }>

/** The plugin's default export. HOLM_PLUGIN_LOAD when importing throws, HOLM_PLUGIN_INVALID when it is no definition. */
export async function importPlugin(
  descriptor: PluginDescriptor,
  importBundled: ImportBundled = importPath,
): Promise<PluginDefinition> {
  if (descriptor.definition) return descriptor.definition
  const entry = resolveEntry(descriptor)
  if (descriptor.origin !== 'bundled') serveContract(dirname(entry), descriptor.path)
  const loaded = await importModule(descriptor, () =>
    descriptor.origin === 'bundled' ? importBundled(entry) : importPath(entry),
  )
  const definition = loaded.default
  if (isDefinition(definition)) return definition
  throw new HolmError('HOLM_PLUGIN_INVALID', `${entry} has no default export made by definePlugin`, {
    plugin: descriptor.name,
    hint: 'Write: export default definePlugin({ name, contract: 1, setup(api) {} })',
  })
}

async function importPath(entry: string): Promise<{ default?: unknown }> {
  return (await import(/* @vite-ignore */ pathToFileURL(entry).href)) as { default?: unknown }
}

async function importModule<Module>(
  descriptor: PluginDescriptor,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new HolmError('HOLM_PLUGIN_LOAD', `plugin ${descriptor.name} could not be imported: ${reason}`, {
      plugin: descriptor.name,
      cause,
      hint: `Fix or remove the plugin ${descriptor.name}.`,
      details: { entry: join(descriptor.path, descriptor.manifest.entry) },
    })
  }
}

function isDefinition(value: unknown): value is PluginDefinition {
  if (typeof value !== 'object' || value === null) return false
  return 'setup' in value && typeof value.setup === 'function' && 'name' in value
}

/** The real path of the entry; one that is missing or outside the package (`..`, a symbolic link) is HOLM_PLUGIN_INVALID. */
export function resolveEntry({ name, path, manifest, unlisted }: PluginDescriptor): string {
  if (unlisted) return path
  const entry = join(path, manifest.entry)
  try {
    const real = realpathSync(entry)
    if (isBelow(realpathSync(path), real)) return real
    throw new HolmError(
      'HOLM_PLUGIN_INVALID',
      `entry ${entry} of ${name} leads outside the package, to ${real}`,
      {
        plugin: name,
        hint: 'Name a module inside the package as holm.entry.',
      },
    )
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new HolmError('HOLM_PLUGIN_INVALID', `entry ${entry} of ${name} does not exist`, {
      plugin: name,
      cause: error,
      hint: 'Build the plugin, or correct holm.entry in its package.json.',
    })
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

const contractUrls = new Map<string, string>()
const served = new Set<string>()
let registered = false

/**
 * From now on modules in these folders that import `@holm/core` get this host's own copy, whatever is installed beside them:
 * contract versions were compared before, and one copy means that nothing has to be installed (docs/adr/0011).
 */
export function serveContract(...folders: readonly string[]): void {
  for (const folder of folders) served.add(folder)
  if (registered) return
  registered = true
  for (const specifier of ['@holm/core', '@holm/core/host']) {
    const url = findOwn(specifier)
    if (url !== undefined) contractUrls.set(specifier, url)
  }
  registerHooks({
    resolve(specifier, context, next) {
      const url = contractUrls.get(specifier)
      if (url === undefined || !isServed(context.parentURL)) return next(specifier, context)
      return { url, shortCircuit: true }
    },
  })
}

/** Undefined when this host was bundled away from its package: then plugins need a copy of their own. */
function findOwn(specifier: string): string | undefined {
  try {
    return import.meta.resolve(specifier)
  } catch {
    return undefined
  }
}

function isServed(parent: string | undefined): boolean {
  if (!parent?.startsWith('file:')) return false
  const path = fileURLToPath(parent)
  return [...served].some((folder) => isBelow(folder, path))
}
