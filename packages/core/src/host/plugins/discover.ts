import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import { contractVersion, type PluginDefinition } from '../../plugin.ts'
import { checkFit, type PluginDescriptor } from './descriptor.ts'
import { parseManifest } from './manifest.ts'

/** An entry of `plugins` in the configuration. */
export type ConfiguredPlugin = string | readonly [specifier: string, options: unknown] | PluginDefinition

export interface DiscoverOptions {
  /** Absolute paths of the package.json files of the CLI's own plugins. */
  readonly bundled: readonly string[]
  /** holm's data folder: what `holm plugins install` and `link` added. */
  readonly dataFolder: string
  readonly configured: readonly ConfiguredPlugin[]
  /** Folder of the file that holds `plugins`: paths and package names are resolved from it. */
  readonly configFolder: string
  /** Absent: this machine's. */
  readonly platform?: NodeJS.Platform
}

type Origin = PluginDescriptor['origin']

/**
 * Every plugin of this holm, from manifests alone: nothing is imported, node_modules is never scanned. What is wrong with one
 * (broken manifest, contract, platform, two of one id) is kept as its `error`; this function does not throw.
 */
export function discoverPlugins(options: DiscoverOptions): PluginDescriptor[] {
  const found = [
    ...options.bundled.map((path) => loadPackage(dirname(path), 'bundled')),
    ...listInstalled(options.dataFolder),
    ...listLinked(options.dataFolder),
  ]
  const configured = options.configured.map((entry) => loadConfigured(entry, options.configFolder, found))
  const plugins = mergeSamePath([...found, ...configured])
  return markDuplicates(plugins.map((plugin) => markUnfit(plugin, options.platform)))
}

/** Descriptor of the plugin in a package folder; whatever is wrong is its `error`. */
export function loadPackage(folder: string, origin: Origin, name = basename(folder)): PluginDescriptor {
  try {
    const path = join(folder, 'package.json')
    const parsed = parseManifest(readJson(path), path)
    return {
      ...parsed,
      id: parsed.manifest.id,
      kind: parsed.manifest.kind,
      origin,
      path: realpathSync(folder),
    }
  } catch (error) {
    return describeBroken({ name, origin, path: folder, error: toHolmError(error, folder, name) })
  }
}

function describeBroken(from: {
  readonly name: string
  readonly origin: Origin
  readonly path: string
  readonly error: HolmError
}): PluginDescriptor {
  const identity = { kind: 'feature', id: from.name } as const
  return {
    ...from,
    ...identity,
    version: '0.0.0',
    manifest: { ...identity, contract: contractVersion, entry: '.' },
  }
}

function toHolmError(error: unknown, path: string, plugin: string): HolmError {
  if (isHolmError(error)) return error
  const message = `${path}: ${error instanceof Error ? error.message : String(error)}`
  const hint = `Install it again, or remove it: holm plugins remove ${plugin}`
  return new HolmError('HOLM_PLUGIN_INVALID', message, { plugin, cause: error, hint, details: { path } })
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** The object in a JSON file of holm's own; a missing or broken one is empty, as it must not stop every command. */
export function readJsonRecord(path: string): Readonly<Record<string, unknown>> {
  try {
    const content = readJson(path)
    return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function listInstalled(dataFolder: string): PluginDescriptor[] {
  const folder = join(dataFolder, 'plugins')
  const dependencies = readJsonRecord(join(folder, 'package.json'))['dependencies'] ?? {}
  return Object.keys(dependencies).map((name) =>
    loadPackage(join(folder, 'node_modules', name), 'installed', name),
  )
}

function listLinked(dataFolder: string): PluginDescriptor[] {
  const links = readJsonRecord(join(dataFolder, 'plugins', 'links.json'))
  return Object.entries(links).map(([name, folder]) => loadPackage(String(folder), 'linked', name))
}

function loadConfigured(
  entry: ConfiguredPlugin,
  folder: string,
  known: readonly PluginDescriptor[],
): PluginDescriptor {
  if (isDefinition(entry)) return describeInline(entry)
  const [specifier, options] = typeof entry === 'string' ? [entry] : entry
  const found = loadSpecifier(specifier, folder, known)
  return options === undefined ? found : { ...found, options }
}

function isDefinition(entry: ConfiguredPlugin): entry is PluginDefinition {
  return typeof entry === 'object' && 'setup' in entry
}

function loadSpecifier(
  specifier: string,
  folder: string,
  known: readonly PluginDescriptor[],
): PluginDescriptor {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return loadPath(resolve(folder, specifier))
  const local = findInNodeModules(specifier, folder)
  if (local !== undefined) return loadPackage(local, 'config', specifier)
  const other = known.find((plugin) => plugin.name === specifier)
  if (other) return other
  const error = new HolmError('HOLM_PLUGIN_NOT_FOUND', `no plugin ${specifier} (from ${folder})`, {
    plugin: specifier,
    hint: `Install it: holm plugins install ${specifier}`,
  })
  return describeBroken({ name: specifier, origin: 'config', path: folder, error })
}

/** Looks at the one folder that a package of this name would have, in each node_modules upwards. */
function findInNodeModules(name: string, folder: string): string | undefined {
  const candidate = join(folder, 'node_modules', name)
  if (existsSync(join(candidate, 'package.json'))) return candidate
  const parent = dirname(folder)
  return parent === folder ? undefined : findInNodeModules(name, parent)
}

function loadPath(path: string): PluginDescriptor {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats?.isDirectory()) return loadPackage(path, 'config')
  if (stats) return describeModule(path)
  const error = new HolmError('HOLM_PLUGIN_NOT_FOUND', `no plugin at ${path}`, {
    hint: 'Correct its path in the configuration.',
  })
  return describeBroken({ name: path, origin: 'config', path, error })
}

/** A single file without a package.json, such as `./holm-plugin.ts`. */
function describeModule(path: string): PluginDescriptor {
  const identity = { kind: 'feature', id: basename(path, extname(path)) } as const
  const manifest = { ...identity, contract: contractVersion, entry: basename(path) }
  return { name: path, version: '0.0.0', ...identity, origin: 'config', path, manifest, unlisted: true }
}

function describeInline(definition: PluginDefinition): PluginDescriptor {
  const { name, contract } = definition
  const identity = { kind: 'feature', id: name } as const
  const manifest = { ...identity, contract, entry: '.' }
  return {
    name,
    version: '0.0.0',
    ...identity,
    origin: 'inline',
    path: '',
    manifest,
    unlisted: true,
    definition,
  }
}

/** One package that is both bundled (or installed) and named in the configuration is one plugin, with the options given. */
function mergeSamePath(plugins: readonly PluginDescriptor[]): PluginDescriptor[] {
  const merged: PluginDescriptor[] = []
  for (const plugin of plugins) {
    const index = plugin.path === '' ? -1 : merged.findIndex((other) => other.path === plugin.path)
    const first = merged[index]
    if (first === undefined) merged.push(plugin)
    else if (plugin.options !== undefined) merged[index] = { ...first, options: plugin.options }
  }
  return merged
}

function markUnfit(plugin: PluginDescriptor, platform: NodeJS.Platform | undefined): PluginDescriptor {
  const error = plugin.error ?? checkFit(plugin, platform)
  return error ? { ...plugin, error } : plugin
}

/** Both get the error: neither wins quietly. */
function markDuplicates(plugins: readonly PluginDescriptor[]): PluginDescriptor[] {
  return plugins.map((plugin) => {
    const other = plugins.find((candidate) => isDuplicate(plugin, candidate))
    return other && !plugin.error ? { ...plugin, error: duplicateError(plugin, other) } : plugin
  })
}

function isDuplicate(plugin: PluginDescriptor, other: PluginDescriptor): boolean {
  if (plugin === other || plugin.error || other.error) return false
  return plugin.kind === other.kind && plugin.id === other.id
}

/** Names both paths, the same way from either side. */
export function duplicateError(plugin: PluginDescriptor, other: PluginDescriptor): HolmError {
  const [first, second] = [plugin, other].map(({ name, path }) => (path === '' ? name : path))
  const message = `two plugins are ${plugin.kind} ${plugin.id}: ${first} and ${second}`
  const removable = [other, plugin].find(({ origin }) => origin === 'installed' || origin === 'linked')
  return new HolmError('HOLM_PLUGIN_DUPLICATE', message, {
    plugin: plugin.name,
    hint: removable
      ? `Remove one: holm plugins remove ${removable.name}`
      : 'Remove one from the plugins of the configuration.',
    details: { paths: [first, second] },
  })
}
