import { HolmError } from '../../errors.ts'
import type { CommandDefinition } from '../../command.ts'
import type { HostApi } from '../../host-api.ts'
import type { Dispose, PluginApi, PluginPaths, PluginRecords } from '../../plugin.ts'
import type { Runner } from '../../process.ts'
import type { Logger } from '../../provider.ts'
import type { Hooks } from '../hooks.ts'
import type { PluginDescriptor } from './descriptor.ts'
import { runAs } from './plugin-context.ts'

/** What the host gives to a plugin besides the ways to register: see `PluginApi`. */
export interface PluginSurroundings {
  /** The section `plugin.<id>` of the configuration, as it was written. */
  readonly config: unknown
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly paths: PluginPaths
  readonly namespace: string
  readonly log: Logger
  readonly note: PluginApi['note']
  readonly runner: Runner
  readonly records: <Item>(kind: string) => PluginRecords<Item>
}

export type HostMethod = (host: HostApi, ...args: never[]) => unknown

interface Owned<Value> {
  readonly plugin: string
  readonly value: Value
}

/** Everything plugins registered, with its owner. Keys of `provided` are "<kind>/<id>". */
export interface Registrations {
  readonly provided: Map<string, Owned<() => { readonly id: string }>>
  readonly commands: Map<string, Owned<CommandDefinition>>
  readonly methods: Map<string, Owned<HostMethod>>
}

export interface Scope {
  readonly api: PluginApi
  /** Undoes every registration, last first. Errors of the plugin's own disposers are handed to `onError`. */
  dispose(onError: (error: unknown) => void): Promise<void>
}

export interface ScopeOptions {
  readonly descriptor: PluginDescriptor
  readonly surroundings: PluginSurroundings
  /** Validated. */
  readonly config: unknown
  readonly hooks: Hooks
  readonly registrations: Registrations
}

/** The api of one plugin: what it registers carries its name, must be in its manifest, and is undone together. */
export function createScope(options: ScopeOptions): Scope {
  const { descriptor, surroundings, config, hooks, registrations } = options
  const plugin = descriptor.name
  const { manifest } = descriptor
  const undo = createUndo()

  function register<Value>(map: Map<string, Owned<Value>>, key: string, value: Value): Dispose {
    assertFree(map, key, plugin)
    map.set(key, { plugin, value })
    return undo.add(() => void map.delete(key))
  }

  const api: PluginApi = {
    ...surroundings,
    name: plugin,
    config,
    provide(kind, id, factory) {
      assertListed(descriptor, {
        what: `${kind} ${id}`,
        listed: manifest.kind === kind && manifest.id === id,
      })
      return register(registrations.provided, `${kind}/${id}`, createOnce(plugin, { kind, id, factory }))
    },
    hook(name, fn, { stage } = {}) {
      assertListed(descriptor, { what: `hook ${name}`, listed: manifest.hooks?.includes(name) ?? false })
      return undo.add(hooks.tap(plugin, name, { fn, stage }))
    },
    command(definition) {
      const listed = manifest.commands?.some(({ id }) => id === definition.id) ?? false
      assertListed(descriptor, { what: `command "${definition.id}"`, listed })
      const run: typeof definition.run = (input) => runAs(plugin, () => definition.run(input))
      return register(registrations.commands, definition.id, { ...definition, run })
    },
    method(name, method) {
      assertListed(descriptor, { what: `method ${name}`, listed: manifest.methods?.includes(name) ?? false })
      const run: HostMethod = (...args) => runAs(plugin, () => method(...args))
      return register(registrations.methods, name, run)
    },
    onDispose(dispose) {
      undo.add(dispose)
    },
  }
  return { api, dispose: undo.run }
}

interface Undo {
  add(step: () => void | Promise<void>): Dispose
  readonly run: Scope['dispose']
}

function createUndo(): Undo {
  const steps = new Set<() => void | Promise<void>>()
  return {
    add(step) {
      steps.add(step)
      return () => {
        if (steps.delete(step)) void step()
      }
    },
    async run(onError) {
      for (const step of [...steps].toReversed()) {
        steps.delete(step)
        await Promise.resolve().then(step).catch(onError)
      }
    },
  }
}

/** An unlisted plugin (a single module, an inline definition) has no manifest to agree with. */
function assertListed(
  { name, unlisted, path }: PluginDescriptor,
  registration: { readonly what: string; readonly listed: boolean },
): void {
  if (unlisted || registration.listed) return
  const message = `plugin ${name} registers ${registration.what}, which its manifest does not list`
  throw new HolmError('HOLM_PLUGIN_INVALID', message, {
    plugin: name,
    hint: `Add it to the "holm" key of ${path}/package.json.`,
  })
}

function assertFree(map: ReadonlyMap<string, Owned<unknown>>, key: string, plugin: string): void {
  const owner = map.get(key)
  if (!owner) return
  throw new HolmError(
    'HOLM_PLUGIN_DUPLICATE',
    `${key} of plugin ${plugin} is already taken by ${owner.plugin}`,
    {
      plugin,
      hint: `Remove one of the plugins ${owner.plugin} and ${plugin}.`,
    },
  )
}

type Provided = { readonly id: string }

/** Calls the factory at most once; what it throws, and an object with another id, names the plugin. */
function createOnce(
  plugin: string,
  from: { readonly kind: string; readonly id: string; readonly factory: () => Provided },
): () => Provided {
  let made: { readonly value: Provided } | { readonly error: unknown } | undefined
  return () => {
    made ??= attempt(() => make(plugin, from))
    if ('error' in made) throw made.error
    return made.value
  }
}

function attempt(make: () => Provided): { readonly value: Provided } | { readonly error: unknown } {
  try {
    return { value: make() }
  } catch (error) {
    return { error }
  }
}

function make(plugin: string, { kind, id, factory }: Parameters<typeof createOnce>[1]): Provided {
  let value: Provided
  try {
    value = factory()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const hint = `Fix or remove the plugin ${plugin}.`
    throw new HolmError('HOLM_PLUGIN_SETUP', `plugin ${plugin} could not make ${kind} ${id}: ${reason}`, {
      plugin,
      cause,
      hint,
    })
  }
  if (value?.id === id) return value
  throw new HolmError('HOLM_PLUGIN_INVALID', `plugin ${plugin} provides ${kind} "${value?.id}" as "${id}"`, {
    plugin,
    hint: 'Give the object the id of the manifest.',
  })
}
