import { HolmError, isHolmError } from '../../errors.ts'
import type { CommandDefinition } from '../../command.ts'
import type { HostApi } from '../../host-api.ts'
import type { HookName } from '../../hooks.ts'
import type { PluginKind, PluginKinds, PluginManifest } from '../../plugin.ts'
import { suggestHint } from '../did-you-mean.ts'
import type { Hooks } from '../hooks.ts'
import type { PluginDescriptor } from './descriptor.ts'
import type { ImportBundled } from './import.ts'
import { createLoader, type Loader } from './loader.ts'
import type { PluginSurroundings, Registrations } from './scope.ts'

export interface RegistryOptions {
  readonly descriptors: readonly PluginDescriptor[]
  readonly hooks: Hooks
  readonly apiFor: (descriptor: PluginDescriptor) => PluginSurroundings
  /** A plugin failed and holm goes on without it; the error names the plugin. Each one is told once. */
  readonly onWarning: (error: HolmError) => void
  readonly importBundled?: ImportBundled | undefined
}

export type ListedCommand = Omit<CommandDefinition, 'run'> & { readonly plugin: string }

/** Plugins by manifest, imported at first need, each at most once. */
export interface Registry {
  readonly descriptors: readonly PluginDescriptor[]
  /** From manifests, and from what unlisted plugins that were loaded provide. */
  ids(kind: PluginKind): readonly string[]
  manifestOf(kind: PluginKind, id: string): PluginManifest | undefined
  /** HOLM_PLUGIN_NOT_FOUND, or whatever is wrong with the plugin. */
  get<Kind extends PluginKind>(kind: Kind, id: string): Promise<PluginKinds[Kind]>
  /** Loads the plugins that tap one of these hooks. One that fails is a warning. */
  loadForHooks(names: readonly HookName[]): Promise<void>
  commands(): Promise<readonly ListedCommand[]>
  loadCommand(id: string): Promise<CommandDefinition>
  /**
   * `HostApi.methods`: each loads its plugin when it is called, and therefore returns a promise. Those of unlisted plugins
   * appear when these are loaded.
   */
  bindMethods(host: HostApi): HostApi['methods']
  /** Loads it, to see whether it can be; the error, or undefined. */
  check(descriptor: PluginDescriptor): Promise<HolmError | undefined>
  /** Undoes everything the plugin registered; its next use loads it again. */
  unload(name: string): Promise<void>
  close(): Promise<void>
}

/** Registry over descriptors; nothing is imported yet. */
export function createRegistry(options: RegistryOptions): Registry {
  const { descriptors, hooks } = options
  const registrations: Registrations = { provided: new Map(), commands: new Map(), methods: new Map() }
  const usable = descriptors.filter(({ error }) => !error)
  const methods = createMethods(usable, registrations)
  const loader = createLoader({ ...options, registrations, onLoaded: methods.refresh })
  const find = createFinder(descriptors, loader)

  return {
    descriptors,
    ids: (kind) => listIds(kind, usable, registrations),
    manifestOf: (kind, id) =>
      descriptors.find((plugin) => plugin.kind === kind && plugin.id === id)?.manifest,
    async get(kind, id) {
      const isIt = (plugin: PluginDescriptor): boolean => plugin.kind === kind && plugin.id === id
      const factory = await find(registrations.provided, `${kind}/${id}`, isIt)
      if (!factory) throw unknownError(`${kind} ${id}`, id, listIds(kind, usable, registrations))
      return factory() as PluginKinds[typeof kind]
    },
    loadForHooks: (names) => loader.attemptAll(descriptors.filter((plugin) => tapsAny(plugin, names))),
    async commands() {
      await loader.attemptAll(usable.filter(({ unlisted }) => unlisted))
      return listCommands(usable, registrations)
    },
    async loadCommand(id) {
      const lists = ({ manifest }: PluginDescriptor): boolean =>
        manifest.commands?.some((command) => command.id === id) ?? false
      const command = await find(registrations.commands, id, lists)
      if (command) return command
      const known = listCommands(usable, registrations).map((listed) => listed.id)
      throw unknownError(`command "${id}"`, id, known)
    },
    bindMethods: (host) => methods.bind(host, find),
    async check(descriptor) {
      if (descriptor.error) return descriptor.error
      try {
        await loader.load(descriptor)
        return undefined
      } catch (error) {
        if (isHolmError(error)) return error
        throw error
      }
    },
    unload: (name) => loader.unload(name),
    async close() {
      await loader.close()
      await hooks.idle()
    },
  }
}

/** Also what somebody added and cannot be used, whatever it would have tapped: loading it is how it is told of. */
function tapsAny(
  { manifest, unlisted, error, origin }: PluginDescriptor,
  names: readonly HookName[],
): boolean {
  if (error !== undefined && origin !== 'bundled') return true
  return unlisted === true || (manifest.hooks?.some((hook) => names.includes(hook)) ?? false)
}

type Find = <Value>(
  map: ReadonlyMap<string, { readonly value: Value }>,
  key: string,
  lists: (descriptor: PluginDescriptor) => boolean,
) => Promise<Value | undefined>

/** Loads the plugin whose manifest lists the key; for what no manifest lists, the unlisted plugins. Then looks it up. */
function createFinder(descriptors: readonly PluginDescriptor[], loader: Loader): Find {
  return async (map, key, lists) => {
    const known = map.get(key)
    if (known) return known.value
    const listing = descriptors.filter(lists)
    const owner = listing.find(({ error }) => !error) ?? listing[0]
    if (owner) await loader.load(owner)
    else await loader.attemptAll(descriptors.filter(({ unlisted, error }) => unlisted && !error))
    const found = map.get(key)
    if (owner && !found) throw missingError(owner, key)
    return found?.value
  }
}

interface Methods {
  bind(host: HostApi, find: Find): HostApi['methods']
  /** Adds what unlisted plugins registered since. */
  readonly refresh: () => void
}

function createMethods(usable: readonly PluginDescriptor[], { methods }: Registrations): Methods {
  const bound: Record<string, (...args: never[]) => unknown> = {}
  let refresh = (): void => undefined
  return {
    refresh: () => refresh(),
    bind(host, find) {
      const listed = usable.flatMap(({ manifest }) => manifest.methods ?? [])
      refresh = () => {
        for (const name of [...listed, ...methods.keys()]) {
          const lists = ({ manifest }: PluginDescriptor): boolean => manifest.methods?.includes(name) ?? false
          bound[name] ??= async (...args) => (await find(methods, name, lists))?.(host, ...args)
        }
      }
      refresh()
      return bound
    },
  }
}

function missingError({ name, path }: PluginDescriptor, key: string): HolmError {
  return new HolmError('HOLM_PLUGIN_INVALID', `plugin ${name} lists ${key} and did not register it`, {
    plugin: name,
    hint: `Register it in setup, or take it out of ${path}/package.json.`,
  })
}

function unknownError(what: string, word: string, known: readonly string[]): HolmError {
  const install = 'Install the plugin that has it: holm plugins install <package>'
  return new HolmError('HOLM_PLUGIN_NOT_FOUND', `no plugin has ${what}`, {
    hint: suggestHint(word, known, known.length > 0 ? `Use one of ${known.join(', ')}. ${install}` : install),
    details: { known },
  })
}

function listIds(
  kind: PluginKind,
  usable: readonly PluginDescriptor[],
  { provided }: Registrations,
): readonly string[] {
  const manifested = usable.filter((plugin) => plugin.kind === kind).map(({ id }) => id)
  const prefix = `${kind}/`
  const registered = [...provided.keys()].filter((key) => key.startsWith(prefix))
  return [...new Set([...manifested, ...registered.map((key) => key.slice(prefix.length))])]
}

/** The first plugin that lists a command has it. */
function listCommands(usable: readonly PluginDescriptor[], { commands }: Registrations): ListedCommand[] {
  const listed = new Map<string, ListedCommand>()
  for (const { name, manifest } of usable) {
    for (const command of manifest.commands ?? []) {
      if (!listed.has(command.id)) listed.set(command.id, { ...command, plugin: name })
    }
  }
  for (const [id, { plugin, value }] of commands) {
    if (!listed.has(id)) listed.set(id, { ...value, plugin })
  }
  return [...listed.values()]
}
