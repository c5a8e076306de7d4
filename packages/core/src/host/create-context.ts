import { join } from 'node:path'
import type { HolmEvent } from '../events.ts'
import type { Runner } from '../process.ts'
import { createBaseStore } from './base/index.ts'
import { loadConfig, type Config } from './config/load.ts'
import { createFolder } from './config/folders.ts'
import { resolvePaths, type HolmPaths } from './config/paths.ts'
import type { HostContext } from './context.ts'
import { rebuildRecords } from './environment/reconcile.ts'
import { createHooks, type Hooks } from './hooks.ts'
import { createLogger, type LogLevel } from './log.ts'
import { createOperation } from './operation.ts'
import type { PluginDescriptor } from './plugins/descriptor.ts'
import type { ImportBundled } from './plugins/import.ts'
import { discoverPlugins, type ConfiguredPlugin } from './plugins/discover.ts'
import { createRegistry, type Registry } from './plugins/registry.ts'
import { pluginRecords } from './plugins/records.ts'
import type { PluginSurroundings } from './plugins/scope.ts'
import { createRunner } from './runner.ts'
import { openState, type State } from './state/index.ts'

export interface HostOptions {
  /** Absent: the current folder. */
  readonly cwd?: string
  /** Absent: this process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly platform?: NodeJS.Platform
  /** The highest layer of the configuration: flags, by key. */
  readonly overrides?: Readonly<Record<string, unknown>>
  /** Absolute paths of the package.json files of plugins that come with the program. */
  readonly bundled?: readonly string[]
  /** How their code is imported; absent: as a module. */
  readonly importBundled?: ImportBundled | undefined
  /** More plugins: package names, paths, or definitions made in this program. */
  readonly plugins?: readonly ConfiguredPlugin[]
  /** Every event of every call. */
  readonly onEvent?: (event: HolmEvent) => void
  /** Starts programs; absent: on this machine. */
  readonly runner?: Runner
}

interface Parts {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly paths: HolmPaths
  readonly config: Config
  readonly hooks: Hooks
  readonly publish: (event: HolmEvent) => void
}

/** Puts the parts of a host together. Reads the configuration and manifests; state, plugins and runtimes wait for first use. */
export async function createContext(
  options: HostOptions,
): Promise<{ context: HostContext; close: () => Promise<void> }> {
  const { cwd = process.cwd(), env = process.env, platform = process.platform } = options
  const paths = resolvePaths({ env, platform })
  const config = await loadConfig({
    cwd,
    env,
    paths,
    ...(options.overrides && { overrides: options.overrides }),
  })
  const openAt = (suspect: boolean): State =>
    openState(join(createFolder(paths.data), 'state.db'), config.values.namespace, { suspect })
  const state = lazily(() => openAt(false))
  const listeners: ((event: HolmEvent) => void)[] = []
  const publish = (event: HolmEvent): void => listeners.forEach((listener) => listener(event))
  const hooks = createHooks({
    onWarning: ({ message, plugin }) => publish({ type: 'warning', message, plugin }),
  })
  listeners.push(
    (event) => options.onEvent?.(event),
    (event) => hooks.emit('onEvent', event),
    (event) => keepEvent(state, event),
  )
  const parts: Parts = { env, platform, paths, config, hooks, publish }
  const runner = options.runner ?? createRunner({ env })
  const registry = openRegistry({ ...parts, runner, state }, options, cwd)
  const context = assemble(parts, {
    cwd,
    registry,
    state,
    reopenState: () => {
      state.made?.close()
      state.made = undefined
      state.made = openAt(true)
    },
    bundled: options.bundled ?? [],
    runner,
  })
  for (const message of config.warnings) publish({ type: 'warning', message })
  return { context, close: () => closeAll(registry, state) }
}

/** What belongs to no environment is kept only when the state is open anyway: a warning must not open files. */
function keepEvent(state: Lazy<State>, event: HolmEvent): void {
  if (state.made === undefined && !event.environment) return
  state().events.append(event)
}

interface Late {
  readonly cwd: string
  readonly bundled: readonly string[]
  readonly registry: Registry
  readonly runner: Runner
  readonly state: Lazy<State>
  readonly reopenState: () => void
}

function assemble(parts: Parts, { cwd, registry, runner, state, reopenState, bundled }: Late): HostContext {
  const { env, platform, paths, config, hooks, publish } = parts
  const { 'base.mirror': mirror, 'base.imageServer': imageServer } = config.values
  return {
    cwd,
    bundled,
    env,
    platform,
    paths,
    config,
    hooks,
    registry,
    runner,
    publish,
    namespace: config.values.namespace,
    bases: createBaseStore({ paths, runner, env, imageServer, ...(mirror === undefined ? {} : { mirror }) }),
    get state() {
      return state()
    },
    reopenState,
    operation: (environment, call) =>
      createOperation({ environment, call, runner, publish, logLevel: logLevelOf(config) }),
    provider: (id) => registry.get('provider', id),
  }
}

type PluginParts = Parts & { readonly runner: Runner; readonly state: Lazy<State> }

function openRegistry(parts: PluginParts, options: HostOptions, cwd: string): Registry {
  const { config, paths, platform, hooks, publish } = parts
  const configured = config.values.plugins as readonly ConfiguredPlugin[]
  const descriptors = discoverPlugins({
    bundled: options.bundled ?? [],
    dataFolder: paths.data,
    configured: [...configured, ...(options.plugins ?? [])],
    configFolder: configured.length > 0 ? config.pluginsFolder : cwd,
    platform,
  })
  return createRegistry({
    descriptors,
    hooks,
    importBundled: options.importBundled,
    apiFor: (descriptor) => surroundingsOf(parts, descriptor),
    onWarning: ({ message, plugin, hint }) =>
      publish({
        type: 'warning',
        message,
        ...(plugin === undefined ? {} : { plugin }),
        ...(hint === undefined ? {} : { hint }),
      }),
  })
}

function surroundingsOf(
  { config, env, platform, paths, publish, runner, state }: PluginParts,
  { id, name }: PluginDescriptor,
): PluginSurroundings {
  return {
    config: config.plugin(id),
    env,
    platform,
    paths: { data: join(paths.data, 'plugins-data', id), cache: join(paths.cache, 'plugins', id) },
    namespace: config.values.namespace,
    log: createLogger({
      level: logLevelOf(config),
      emit: publish,
      warn: (message) => publish({ type: 'warning', message, plugin: name }),
      from: { plugin: name },
    }),
    note: publish,
    runner,
    records: (kind) => pluginRecords(state, { id, kind }),
  }
}

/** The table of the configuration has checked it. */
function logLevelOf(config: Config): LogLevel {
  return config.values['log.level'] as LogLevel
}

interface Lazy<T> {
  (): T
  /** What was made, if it was. */
  made: T | undefined
}

function lazily<T>(make: () => T): Lazy<T> {
  const lazy = (() => (lazy.made ??= make())) as Lazy<T>
  lazy.made = undefined
  return lazy
}

async function closeAll(registry: Registry, state: Lazy<State>): Promise<void> {
  await registry.close()
  const open = state.made
  state.made = undefined
  open?.close()
}

/** After a damaged state file was set aside: takes the environments back from the runtimes, and says so. Once. */
export async function healState(context: HostContext): Promise<void> {
  const { backup } = context.state
  if (backup === undefined) return
  const operation = context.operation('', {})
  const count = await rebuildRecords(context, operation)
  operation.warn(
    `the state file was damaged; it was moved to ${backup}, and ${count} environments were taken back from the runtimes`,
    'Their lifecycle commands and variables are read from the blueprint again at the next: holm up --recreate',
  )
}
