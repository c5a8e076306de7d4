import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import type { PluginInfo } from '../../host-api.ts'
import { suggestHint } from '../did-you-mean.ts'
import { checkFit, describePlugin, type PluginDescriptor } from './descriptor.ts'
import { discoverPlugins, duplicateError, loadPackage } from './discover.ts'
import { resolveEntry } from './import.ts'
import { withPluginsLock } from '../file-lock.ts'
import { npmInstall, npmUninstall, stageSpecifier, type NpmOptions } from './npm.ts'
import { changePlugins, readDependencies, readLinks, writeLinks } from './staging.ts'

export interface ManageOptions extends NpmOptions {
  readonly dataFolder: string
  /** package.json paths of the CLI's own plugins: their ids are taken, and they cannot be removed. */
  readonly bundled: readonly string[]
  /** Where relative paths start. */
  readonly cwd: string
}

/**
 * Installs a package (name, name@version, tarball, folder, git URL) with npm, its scripts ignored. One that turns out to be no plugin
 * of this holm's contract is refused, and the plugins stay as they were.
 */
export async function installPlugin(specifier: string, options: ManageOptions): Promise<PluginInfo> {
  const { dataFolder, cwd } = options
  const found = await withPluginsLock(options, () =>
    changePlugins(dataFolder, async (folder) => {
      const before = readDependencies(folder)
      const staged = await stageSpecifier(folder, { specifier, cwd }, options)
      await npmInstall(folder, staged, options)
      const name = findInstalled(before, readDependencies(folder), staged)
      const plugin = loadPackage(join(folder, 'node_modules', name), 'installed', name)
      assertUsable(plugin, specifier, listOthers(options, name, 'installed'))
      return { plugin, name }
    }),
  )
  return describePlugin({ ...found.plugin, path: join(dataFolder, 'plugins', 'node_modules', found.name) })
}

/** Uses the plugin in a folder as it is there, for its development. */
export async function linkPlugin(
  folder: string,
  options: Omit<ManageOptions, 'runner'>,
): Promise<PluginInfo> {
  const path = resolve(options.cwd, folder)
  const plugin = loadPackage(path, 'linked')
  await withPluginsLock(options, () =>
    changePlugins(options.dataFolder, async (staging) => {
      assertUsable(plugin, path, listOthers(options, plugin.name, 'linked'))
      await writeLinks(staging, { ...readLinks(staging), [plugin.name]: plugin.path })
    }),
  )
  return describePlugin(plugin)
}

/** Removes an installed or linked plugin, by package name or id; a linked folder itself is left alone. */
export async function removePlugin(name: string, options: ManageOptions): Promise<{ readonly name: string }> {
  return withPluginsLock(options, async () => {
    const plugin = findRemovable(name, options)
    await changePlugins(options.dataFolder, (folder) => removeFrom(folder, plugin, options))
    return { name: plugin.name }
  })
}

async function removeFrom(folder: string, plugin: PluginDescriptor, options: ManageOptions): Promise<void> {
  if (plugin.origin === 'linked') {
    // By path too: its package may have been renamed since it was linked.
    const links = Object.entries(readLinks(folder)).filter(
      ([name, path]) => name !== plugin.name && path !== plugin.path,
    )
    await writeLinks(folder, Object.fromEntries(links))
    return
  }
  const names = Object.keys(readDependencies(folder))
  const asked = names.find((name) => isCalled(folder, name, plugin.name)) ?? plugin.name
  // The last one takes npm's files with it, which needs no npm and mends a damaged folder.
  if (names.some((name) => name !== asked)) await npmUninstall(folder, asked, options)
  else await rm(join(folder, 'package.json'), { force: true })
}

/** Is this dependency the package of that name? With an alias of npm (`short@npm:@acme/long`) the two names differ. */
function isCalled(folder: string, dependency: string, name: string): boolean {
  return (
    dependency === name ||
    loadPackage(join(folder, 'node_modules', dependency), 'installed', dependency).name === name
  )
}

function findRemovable(name: string, options: ManageOptions): PluginDescriptor {
  const plugins = discoverManaged(options)
  const folder = join(options.dataFolder, 'plugins')
  const aliased = (plugin: PluginDescriptor): boolean =>
    plugin.origin === 'installed' && name in readDependencies(folder) && isCalled(folder, name, plugin.name)
  const named = plugins.filter((plugin) => plugin.name === name || aliased(plugin))
  const candidates = named.length > 0 ? named : plugins.filter((plugin) => plugin.id === name)
  const found = candidates.find(({ origin }) => origin !== 'bundled') ?? candidates[0]
  if (!found) {
    const known = plugins.filter(({ origin }) => origin !== 'bundled').map((plugin) => plugin.name)
    throw new HolmError('HOLM_PLUGIN_NOT_FOUND', `no plugin ${name} is installed or linked`, {
      hint: suggestHint(name, known, 'Run holm plugins list.'),
    })
  }
  if (found.origin !== 'bundled') return found
  throw new HolmError('HOLM_USAGE', `plugin ${found.name} is part of holm and cannot be removed`, {
    hint: 'Choose another provider in the configuration instead.',
    plugin: found.name,
  })
}

function discoverManaged({
  bundled,
  dataFolder,
}: Pick<ManageOptions, 'bundled' | 'dataFolder'>): PluginDescriptor[] {
  return discoverPlugins({ bundled, dataFolder, configured: [], configFolder: dataFolder })
}

/** All plugins but the one that is about to be replaced. */
function listOthers(
  options: Pick<ManageOptions, 'bundled' | 'dataFolder'>,
  name: string,
  origin: 'installed' | 'linked',
): PluginDescriptor[] {
  return discoverManaged(options).filter((plugin) => plugin.name !== name || plugin.origin !== origin)
}

/** Everything that would make the plugin fail later is said now, in the words of the specifier. */
function assertUsable(
  plugin: PluginDescriptor,
  specifier: string,
  others: readonly PluginDescriptor[],
): void {
  try {
    const error = plugin.error ?? checkFit(plugin)
    if (error) throw error
    resolveEntry(plugin)
    const twin = others.find(({ kind, id }) => kind === plugin.kind && id === plugin.id)
    if (twin) throw duplicateError(plugin, twin)
  } catch (error) {
    if (!isHolmError(error)) throw error
    const reason = error.message.replaceAll('plugins.staging', 'plugins')
    throw new HolmError(error.code, `${specifier} was not added, nothing is changed: ${reason}`, {
      cause: error,
      plugin: plugin.name,
      ...(error.hint && { hint: error.hint }),
      ...(error.details && { details: error.details }),
    })
  }
}

/** npm does not say what a tarball or a git URL is called: it is the dependency that is new, changed, or saved as asked. */
function findInstalled(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  specifier: string,
): string {
  const names = Object.keys(after)
  const changed = names.find((name) => before[name] !== after[name])
  const [, asked = ''] = /^(@?[^@]+)(@.*)?$/.exec(specifier) ?? []
  const found = changed ?? names.find((name) => name === asked || after[name]?.endsWith(specifier))
  if (found !== undefined) return found
  throw new HolmError('HOLM_PLUGIN_INSTALL', `npm installed ${specifier}, and no package was added`, {
    hint: 'Name the package as name@version.',
  })
}
