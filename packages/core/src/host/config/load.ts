import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { HolmError } from '../../errors.ts'
import type { ConfigValue } from '../../host-api.ts'
import { findConfigFiles, findProjectFiles, isCode, type ConfigFile, type ConfigScope } from './files.ts'
import {
  assertKnownKey,
  createDefaults,
  createFlags,
  flattenTree,
  parseEnvironment,
  withSource,
  type Layer,
  type LayerValue,
} from './layers.ts'
import { formatPlace, loadConfigFile, locateKey } from './parse.ts'
import type { HolmPaths } from './paths.ts'
import { configKeys, findEntry, pluginPrefix, type ConfigValues } from './schema.ts'

export interface LoadConfigOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly paths: HolmPaths
  /** What flags say, by key; undefined values are left out. */
  readonly overrides?: Readonly<Record<string, unknown>>
  readonly home?: string
}

export interface Config {
  readonly values: ConfigValues
  /** The section `plugin.<id>`; its keys come from all layers. */
  plugin(id: string): Readonly<Record<string, unknown>>
  /** Every key of the table, also those without a value, and every key of a plugin. */
  list(): readonly ConfigValue[]
  /** HOLM_CONFIG_INVALID for an unknown key. */
  get(key: string): ConfigValue
  /** Files that were read, weakest first. */
  readonly files: readonly ConfigFile[]
  /** From where paths and names in `plugins` are resolved. */
  readonly pluginsFolder: string
  readonly warnings: readonly string[]
}

/** Merges, later wins: defaults, machine, user, project, HOLM_* variables, overrides. Without a file nothing heavy is imported. */
export async function loadConfig(options: LoadConfigOptions): Promise<Config> {
  const files = findFiles(options)
  const layers = await Promise.all(files.map(loadLayer))
  const environment = parseEnvironment(options.env)
  const all = [createDefaults(), ...layers, environment, createFlags(options.overrides ?? {})]
  const merged = new Map([...all.flatMap(({ values }) => [...values]), ...strictestOf(all)])
  assertPortRange(merged)
  return createConfig({ merged, files, warnings: environment.warnings, cwd: options.cwd })
}

/** Of keys that nothing may loosen, the strictest of all values, wherever it stands. */
function strictestOf(layers: readonly Layer[]): readonly (readonly [string, LayerValue])[] {
  return configKeys.flatMap((key) => {
    const { strictest, options = [] } = findEntry(key) ?? {}
    if (strictest !== true) return []
    const rank = ({ value }: LayerValue): number => options.indexOf(String(value))
    const given = layers.flatMap(({ values }) => values.get(key) ?? [])
    const [first] = given.toSorted((a, b) => rank(b) - rank(a))
    return first === undefined ? [] : [[key, first] as const]
  })
}

function createConfig(from: {
  readonly merged: ReadonlyMap<string, LayerValue>
  readonly files: readonly ConfigFile[]
  readonly warnings: readonly string[]
  readonly cwd: string
}): Config {
  const { merged, files, warnings, cwd } = from
  const read = (key: string): ConfigValue => ({
    key,
    ...(merged.get(key) ?? { value: undefined, source: 'default' }),
  })
  const pluginKeys = [...merged.keys()].filter((key) => key.startsWith(pluginPrefix)).toSorted()
  const source = merged.get('plugins')?.source
  return {
    values: Object.fromEntries(
      configKeys.map((key) => [key, merged.get(key)?.value]),
    ) as unknown as ConfigValues,
    plugin(id) {
      const prefix = `${pluginPrefix}${id}.`
      const own = pluginKeys.filter((key) => key.startsWith(prefix))
      return Object.fromEntries(own.map((key) => [key.slice(prefix.length), merged.get(key)?.value]))
    },
    list: () => [...configKeys, ...pluginKeys].map(read),
    get(key) {
      assertKnownKey(key)
      return read(key)
    },
    files,
    pluginsFolder: files.some(({ path }) => path === source) ? dirname(String(source)) : cwd,
    warnings,
  }
}

function findFiles({ cwd, env, paths, home = env['HOME'] ?? homedir() }: LoadConfigOptions): ConfigFile[] {
  const found: readonly [ConfigScope, readonly string[]][] = [
    ['system', findConfigFiles(paths.system, 'config')],
    ['user', findConfigFiles(paths.config, 'config')],
    ['project', findProjectFiles(resolve(cwd), home)],
  ]
  return found.flatMap(([scope, candidates]) => {
    const [path, other] = candidates
    if (path === undefined) return []
    if (other !== undefined) throw ambiguousError(path, other)
    assertMayRun(scope, path)
    return [{ scope, path }]
  })
}

function ambiguousError(first: string, second: string): HolmError {
  return new HolmError(
    'HOLM_CONFIG_INVALID',
    `two configuration files in one folder: ${first} and ${second}`,
    {
      hint: 'Remove one of them.',
      details: { paths: [first, second] },
    },
  )
}

/** The machine's file is read by everyone's holm: data only. */
function assertMayRun(scope: ConfigScope, path: string): void {
  if (scope !== 'system' || !isCode(path)) return
  throw new HolmError(
    'HOLM_CONFIG_INVALID',
    `${path} is code, and the configuration of the machine is data only`,
    {
      hint: 'Write it as YAML, JSON or TOML.',
      details: { path },
    },
  )
}

async function loadLayer({ path }: ConfigFile): Promise<Layer> {
  const { values, problem } = flattenTree(await loadConfigFile(path))
  if (!problem) return { values: withSource(values, path) }
  const position = await locateKey(path, problem.key)
  throw new HolmError('HOLM_CONFIG_INVALID', `${formatPlace(path, position)}: ${problem.problem}`, {
    hint: problem.hint,
    details: { path, key: problem.key.join('.'), ...position },
  })
}

function assertPortRange(merged: ReadonlyMap<string, LayerValue>): void {
  const [first, last] = [merged.get('ports.first'), merged.get('ports.last')]
  if (!first || !last || Number(first.value) <= Number(last.value)) return
  const message = `ports.first ${String(first.value)} (${first.source}) is above ports.last ${String(last.value)} (${last.source})`
  throw new HolmError('HOLM_CONFIG_INVALID', message, { hint: 'Make ports.first the smaller one.' })
}
