import { HolmError, isHolmError } from '../../errors.ts'
import type { PluginDefinition } from '../../plugin.ts'
import type { Hooks } from '../hooks.ts'
import { checkFit, type PluginDescriptor } from './descriptor.ts'
import { importPlugin, type ImportBundled } from './import.ts'
import { runAs } from './plugin-context.ts'
import { createScope, type PluginSurroundings, type Registrations, type Scope } from './scope.ts'

/** Imports and sets up plugins, each at most once. */
export interface Loader {
  /** Shares one load between concurrent calls; a failure is kept. */
  load(descriptor: PluginDescriptor): Promise<void>
  /** The same for several, each failure told as a warning, once. */
  attemptAll(descriptors: readonly PluginDescriptor[]): Promise<void>
  unload(name: string): Promise<void>
  close(): Promise<void>
}

export interface LoaderOptions {
  readonly hooks: Hooks
  readonly registrations: Registrations
  readonly apiFor: (descriptor: PluginDescriptor) => PluginSurroundings
  readonly onWarning: (error: HolmError) => void
  readonly onLoaded: () => void
  readonly importBundled?: ImportBundled | undefined
}

export function createLoader(options: LoaderOptions): Loader {
  const loads = new Map<PluginDescriptor, Promise<Scope>>()
  const warned = new Set<PluginDescriptor>()

  async function load(descriptor: PluginDescriptor): Promise<void> {
    if (descriptor.error) throw descriptor.error
    const running =
      loads.get(descriptor) ?? setUp(descriptor, options).catch((error: unknown) => refuse(descriptor, error))
    loads.set(descriptor, running)
    await running
  }

  async function dispose(descriptor: PluginDescriptor): Promise<void> {
    const running = loads.get(descriptor)
    loads.delete(descriptor)
    const scope = await running?.catch(() => undefined)
    await scope?.dispose((cause) => options.onWarning(disposeError(descriptor, cause)))
  }

  async function attempt(descriptor: PluginDescriptor): Promise<void> {
    try {
      await load(descriptor)
    } catch (error) {
      // Bundled plugins for other platforms are normal, not news.
      if (warned.has(descriptor) || isHolmError(error, 'HOLM_PLUGIN_PLATFORM')) return
      warned.add(descriptor)
      options.onWarning(error as HolmError)
    }
  }

  return {
    load,
    async attemptAll(descriptors) {
      // One after another: the order of taps must not depend on which import is faster.
      for (const descriptor of descriptors) await attempt(descriptor)
    },
    async unload(name) {
      for (const descriptor of loads.keys()) {
        if (descriptor.name === name) await dispose(descriptor)
      }
    },
    async close() {
      for (const descriptor of [...loads.keys()].toReversed()) await dispose(descriptor)
    },
  }
}

async function setUp(descriptor: PluginDescriptor, options: LoaderOptions): Promise<Scope> {
  const { hooks, registrations } = options
  const { name, origin } = descriptor
  // A fault of ours is a bug of holm's, not of a plugin that somebody could remove.
  const run = <T>(work: () => T): T => (origin === 'bundled' ? work() : runAs(name, work))
  const definition = await withinDeadline(
    { name, code: 'HOLM_PLUGIN_LOAD' },
    run(() => importPlugin(descriptor, options.importBundled)),
  )
  assertAgreement(descriptor, definition)
  const surroundings = options.apiFor(descriptor)
  const config = await resolveConfig(descriptor, definition, surroundings.config)
  const scope = createScope({ descriptor, surroundings, config, hooks, registrations })
  try {
    await withinDeadline(
      { name, code: 'HOLM_PLUGIN_SETUP' },
      run(() => definition.setup(scope.api)),
    )
  } catch (error) {
    await scope.dispose((cause) => options.onWarning(disposeError(descriptor, cause)))
    throw setupError(descriptor, error)
  }
  options.onLoaded()
  return scope
}

/** How long a plugin may take to be imported, and to set itself up, milliseconds: commands wait for it. */
const deadlineMs = 10_000

async function withinDeadline<T>(
  { name, code }: { readonly name: string; readonly code: 'HOLM_PLUGIN_LOAD' | 'HOLM_PLUGIN_SETUP' },
  work: T | Promise<T>,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const what = code === 'HOLM_PLUGIN_LOAD' ? 'import' : 'setup'
  const timer = setTimeout(() => {
    const message = `the ${what} of plugin ${name} did not end within ${deadlineMs / 1000} s`
    reject(new HolmError(code, message, { plugin: name, hint: `Fix or remove the plugin ${name}.` }))
  }, deadlineMs)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whatever a plugin throws on its way in reaches a user with its name and a code. */
function refuse(descriptor: PluginDescriptor, error: unknown): never {
  throw isHolmError(error) ? error : setupError(descriptor, error)
}

/** The module must be what the manifest, which was all that was checked, said. */
function assertAgreement(descriptor: PluginDescriptor, definition: PluginDefinition): void {
  const { manifest, name, unlisted } = descriptor
  // Nothing but the module itself says which contract it was written for.
  const unfit = unlisted && checkFit({ name, manifest: { ...manifest, contract: definition.contract } })
  if (unfit) throw unfit
  const wrong =
    definition.contract === manifest.contract
      ? unlisted || definition.name === name
        ? undefined
        : `names itself "${definition.name}"`
      : `is written for contract ${definition.contract}, and its manifest says ${manifest.contract}`
  if (wrong === undefined) return
  throw new HolmError('HOLM_PLUGIN_INVALID', `plugin ${name} ${wrong}`, {
    plugin: name,
    hint: 'Make definePlugin and package.json agree.',
  })
}

async function resolveConfig(
  { id, name, options }: PluginDescriptor,
  { configSchema }: PluginDefinition,
  section: unknown,
): Promise<unknown> {
  const value =
    options === undefined ? (section ?? {}) : { ...(section as object | undefined), ...(options as object) }
  if (!configSchema) return value
  const result = await configSchema['~standard'].validate(value)
  if (!result.issues) return result.value
  const issues = result.issues.map(({ path, message }) => {
    const keys = (path ?? []).map((key) => String(typeof key === 'object' ? key.key : key))
    return `${['plugin', id, ...keys].join('.')}: ${message}`
  })
  throw new HolmError('HOLM_CONFIG_INVALID', issues.join('; '), {
    plugin: name,
    hint: `Correct the section plugin.${id} of the configuration.`,
    details: { issues },
  })
}

function setupError(descriptor: PluginDescriptor, error: unknown): HolmError {
  const ours = [
    'HOLM_PLUGIN_SETUP',
    'HOLM_PLUGIN_INVALID',
    'HOLM_PLUGIN_DUPLICATE',
    'HOLM_PLUGIN_CONTRACT',
  ] as const
  if (ours.some((code) => isHolmError(error, code))) return error as HolmError
  const reason = error instanceof Error ? error.message : String(error)
  return new HolmError('HOLM_PLUGIN_SETUP', `plugin ${descriptor.name} failed in its setup: ${reason}`, {
    plugin: descriptor.name,
    cause: error,
    hint: `Fix or remove the plugin ${descriptor.name}.`,
  })
}

function disposeError({ name }: PluginDescriptor, cause: unknown): HolmError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const hint = `Fix or remove the plugin ${name}.`
  return new HolmError('HOLM_PLUGIN_SETUP', `plugin ${name} failed while it was unloaded: ${reason}`, {
    plugin: name,
    cause,
    hint,
  })
}
