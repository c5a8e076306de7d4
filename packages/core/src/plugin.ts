import type { AiBackend, EditorIntegration, Mesh } from './kinds.ts'
import type { CommandDefinition } from './command.ts'
import type { HolmEvent } from './events.ts'
import type { FacetName } from './facets.ts'
import type { HookName, HookTap } from './hooks.ts'
import type { HostApi } from './host-api.ts'
import type { Logger, Provider, Traits } from './provider.ts'
import type { Runner } from './process.ts'
import type { StandardSchema } from './standard-schema.ts'

/** Version of this contract. Additive facets and hooks do not raise it. */
export const contractVersion = 1

/** Every kind of plugin and what a plugin of that kind provides. Registry, manifest and discovery are generic over it. */
export interface PluginKinds {
  readonly provider: Provider
  readonly mesh: Mesh
  readonly ai: AiBackend
  readonly editor: EditorIntegration
}

/** 'feature' provides no kind: it contributes commands, hooks and host methods only. */
export type PluginKind = keyof PluginKinds

/** The `"holm"` key of a plugin's package.json: what the host knows of a plugin without importing it. */
export interface PluginManifest {
  readonly kind: PluginKind | 'feature'
  readonly id: string
  readonly contract: number
  /** Module with the default export of `definePlugin`, relative to package.json. */
  readonly entry: string
  readonly platforms?: readonly NodeJS.Platform[]
  readonly facets?: readonly FacetName[]
  readonly traits?: Traits
  /** Command tables, so that help and completion import nothing. The plugin registers the same ids with `api.command`. */
  readonly commands?: readonly Omit<CommandDefinition, 'run'>[]
  /** Hooks it taps: with any, the plugin is imported before an operation that calls them. */
  readonly hooks?: readonly HookName[]
  /** Host methods it adds. */
  readonly methods?: readonly string[]
}

export interface PluginPaths {
  /** Folder of this plugin's own, kept: `<data>/plugins-data/<id>`. Not created in advance. */
  readonly data: string
  readonly cache: string
}

export type Dispose = () => void

/** JSON documents by key, shared by all holm processes of a namespace. */
export interface PluginRecords<Item> {
  get(key: string): Item | undefined
  /** By key. */
  list(): readonly Item[]
  put(key: string, item: Item): void
  remove(key: string): void
  /**
   * Runs `work` while no other holm holds the same key. Another holder is HOLM_ENVIRONMENT_BUSY at once; the hold of a
   * process that is gone is taken over.
   */
  hold<Result>(key: string, operation: string, work: () => Promise<Result>): Promise<Result>
}

/** Scoped to one plugin: everything registered here carries its name and is undone together when it is unloaded. */
export interface PluginApi<Config = unknown> {
  readonly name: string
  /** The plugin's section of the configuration (`plugin.<id>`), validated by `configSchema`. */
  readonly config: Config
  /** Environment variables of the holm process. Plugins read them here, never from `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly paths: PluginPaths
  /** Prefix of everything this holm makes in a runtime; two holms with different namespaces never see each other. */
  readonly namespace: string
  readonly log: Logger
  /** Tells what a program inside an environment was given or refused, and keeps it with holm's events. */
  note(event: Extract<HolmEvent, { readonly type: 'access' }>): void
  /** Starts programs on this machine. */
  readonly runner: Runner
  /** Documents of this plugin's own, kept in holm's state file; none is made before the first is put. */
  records<Item>(kind: string): PluginRecords<Item>
  /** Registers a factory; it is called at first use, at most once. */
  provide<Kind extends PluginKind>(kind: Kind, id: string, factory: () => PluginKinds[Kind]): Dispose
  hook<Name extends HookName>(name: Name, tap: HookTap<Name>, options?: { readonly stage?: number }): Dispose
  command(definition: CommandDefinition): Dispose
  /** Adds `host.methods.<name>`. */
  method(name: string, method: (host: HostApi, ...args: never[]) => unknown): Dispose
  onDispose(dispose: () => void | Promise<void>): void
}

export interface PluginDefinition<Config = unknown> {
  /** The npm package's name. */
  readonly name: string
  readonly contract: number
  readonly configSchema?: StandardSchema<Config>
  /** Registers; does no I/O. A throw is reported as HOLM_PLUGIN_SETUP with the plugin's name, and holm goes on without it. */
  setup(api: PluginApi<Config>): void | Promise<void>
}

/** Identity with types: `export default definePlugin({ name, contract: 1, setup(api) { … } })`. */
export function definePlugin<Config = unknown>(
  definition: PluginDefinition<Config>,
): PluginDefinition<Config> {
  return definition
}
