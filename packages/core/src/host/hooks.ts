import type * as Tapable from 'tapable'
import { HolmError, isHolmError } from '../errors.ts'
import type { HookName, HookPayloads, HookTap } from '../hooks.ts'
import type { Dispose } from '../plugin.ts'
import { runAs } from './plugins/plugin-context.ts'

export type HookShape = 'resolve' | 'select' | 'before' | 'after' | 'on'

export interface HookEntry {
  /** The first word of the name, see `HookPayloads`. */
  readonly shape: HookShape
  readonly meaning: string
  /** 'call': plugins are imported just before the hook runs; 'operation': before the operation begins, as it fires all along. */
  readonly loads: 'call' | 'operation'
  /** A HolmError of a tap is the operation's own: the tap does a part of it. */
  readonly ownErrors?: true
}

/** Every hook; docs/reference/hooks.md is generated from it. */
export const hookTable = {
  resolveConfig: {
    shape: 'resolve',
    meaning: 'Changes the merged configuration, after the sections of the plugins themselves were read.',
    loads: 'call',
  },
  resolveBlueprint: {
    shape: 'resolve',
    meaning: 'Changes a blueprint after `extends`, before it is validated.',
    loads: 'call',
  },
  resolveSpec: {
    shape: 'resolve',
    meaning: 'Changes the spec of an environment before a provider is selected.',
    loads: 'call',
  },
  selectProvider: {
    shape: 'select',
    meaning: 'Names the provider when neither the command nor the blueprint nor the configuration does.',
    loads: 'call',
  },
  beforeUp: { shape: 'before', meaning: 'Runs before anything is made or started.', loads: 'call' },
  beforeProvision: {
    shape: 'before',
    meaning: 'Runs before packages and scripts are installed into a new environment.',
    loads: 'call',
  },
  beforeExec: { shape: 'before', meaning: 'Runs before a command is started inside.', loads: 'call' },
  beforeLifecycle: {
    shape: 'before',
    meaning:
      'Runs in a new environment whose caller brings the files, before its lifecycle commands. An error of holm’s table fails the call as it is.',
    loads: 'call',
    ownErrors: true,
  },
  beforeReady: {
    shape: 'before',
    meaning:
      'Runs when an environment with services is running: to start them. An error of holm’s table fails the call as it is.',
    loads: 'call',
    ownErrors: true,
  },
  beforeStop: { shape: 'before', meaning: 'Runs before an environment is stopped.', loads: 'call' },
  beforeRemove: { shape: 'before', meaning: 'Runs before an environment is removed.', loads: 'call' },
  afterUp: { shape: 'after', meaning: 'Runs when the environment is running and healthy.', loads: 'call' },
  afterExec: {
    shape: 'after',
    meaning: 'Runs when a command inside has ended, with its exit.',
    loads: 'call',
  },
  afterStop: { shape: 'after', meaning: 'Runs when an environment was stopped.', loads: 'call' },
  afterRemove: { shape: 'after', meaning: 'Runs when an environment was removed.', loads: 'call' },
  onEvent: { shape: 'on', meaning: 'Sees every event of every operation.', loads: 'operation' },
} as const satisfies Record<HookName, HookEntry>

export const hookNames: readonly HookName[] = Object.keys(hookTable) as HookName[]

export interface HookWarning {
  readonly message: string
  readonly plugin: string
  readonly cause: unknown
}

type Named<Prefix extends HookShape> = Extract<HookName, `${Prefix}${string}`>
type Value<Name extends HookName> = HookPayloads[Name] extends { value: infer V } ? V : never
type Result<Name extends HookName> = HookPayloads[Name] extends { result: infer R } ? R : never
type Context<Name extends HookName> = HookPayloads[Name]['context']

export interface Hooks {
  /** Lower stages run first (default 0), taps of one stage in the order of registration. */
  tap<Name extends HookName>(
    plugin: string,
    name: Name,
    tap: { readonly fn: HookTap<Name>; readonly stage?: number | undefined },
  ): Dispose
  /** The value after all taps; HOLM_PLUGIN_HOOK when one throws or returns nothing. */
  resolve<Name extends Named<'resolve'>>(
    name: Name,
    value: Value<Name>,
    context: Context<Name>,
  ): Promise<Value<Name>>
  /** The first answer, or undefined. */
  select<Name extends Named<'select'>>(name: Name, context: Context<Name>): Promise<Result<Name> | undefined>
  /** HOLM_HOOK_VETO when a tap throws; the later ones do not run. */
  before<Name extends Named<'before'>>(name: Name, context: Context<Name>): Promise<void>
  /** Runs all taps; their errors become warnings. */
  after<Name extends Named<'after'>>(name: Name, context: Context<Name>): Promise<void>
  /** Calls the observers in order and waits for none of them; their errors become warnings. */
  emit<Name extends Named<'on'>>(name: Name, context: Context<Name>): void
  /** Resolves when every observer that was called has ended: before the process exits. */
  idle(): Promise<void>
  tapped(name: HookName): boolean
}

interface Tap {
  readonly plugin: string
  readonly stage: number
  readonly fn: (...args: never[]) => unknown
}

interface Compiled {
  resolve: Tapable.AsyncSeriesWaterfallHook<[unknown, unknown]>
  select: Tapable.AsyncSeriesBailHook<[unknown], unknown>
  before: Tapable.AsyncSeriesHook<[unknown]>
  after: Tapable.AsyncSeriesHook<[unknown]>
  on: Tapable.SyncHook<[unknown]>
}

// tapable costs some milliseconds: a holm without taps never imports it.
let tapable: typeof Tapable | undefined
async function loadTapable(): Promise<typeof Tapable> {
  tapable ??= await import('tapable')
  return tapable
}

/** A plugin that gives up because it was interrupted has not failed. */
function isInterruption(error: unknown): boolean {
  return isHolmError(error, 'HOLM_INTERRUPTED')
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function hintFor(plugin: string, veto: boolean): string {
  return veto ? `Do what ${plugin} asks for, or remove the plugin.` : `Fix or remove the plugin ${plugin}.`
}

function failTap(name: HookName, plugin: string, cause: unknown): never {
  const entry: HookEntry = hookTable[name]
  if (isInterruption(cause) || (entry.ownErrors && isHolmError(cause))) throw cause
  const veto = hookTable[name].shape === 'before'
  const message = veto
    ? `${plugin} refused (${name}): ${describeError(cause)}`
    : `plugin ${plugin} failed in ${name}: ${describeError(cause)}`
  throw new HolmError(veto ? 'HOLM_HOOK_VETO' : 'HOLM_PLUGIN_HOOK', message, {
    plugin,
    cause,
    hint: (isHolmError(cause) ? cause.hint : undefined) ?? hintFor(plugin, veto),
    details: { hook: name },
  })
}

function assertReturned(name: HookName, plugin: string, value: unknown): void {
  if (value !== undefined && value !== null) return
  throw new HolmError('HOLM_PLUGIN_HOOK', `plugin ${plugin} returned nothing from ${name}`, {
    plugin,
    hint: `Return the value from the tap of ${name}, changed or not.`,
    details: { hook: name },
  })
}

/** Runs a tap so that whatever it throws names its plugin (tapable itself loses who threw, and drops falsy errors). */
async function callTap(name: HookName, tap: Tap, args: unknown[]): Promise<unknown> {
  try {
    return await runAs(tap.plugin, () => tap.fn(...(args as never[])))
  } catch (error) {
    return failTap(name, tap.plugin, error)
  }
}

interface Compilation {
  readonly library: typeof Tapable
  readonly name: HookName
  readonly taps: readonly Tap[]
  /** Runs a tap whose errors are warnings. */
  readonly attempt: (tap: Tap, context: unknown) => Promise<void>
}

const compilers: { readonly [Shape in HookShape]: (from: Compilation) => Compiled[Shape] } = {
  resolve({ library, name, taps }) {
    const hook = new library.AsyncSeriesWaterfallHook<[unknown, unknown]>(['value', 'context'])
    for (const tap of taps) {
      hook.tapPromise(labelTap(tap), async (...args) => {
        const value = await callTap(name, tap, args)
        assertReturned(name, tap.plugin, value)
        return value
      })
    }
    return hook
  },
  select({ library, name, taps }) {
    const hook = new library.AsyncSeriesBailHook<[unknown], unknown>(['context'])
    for (const tap of taps) {
      // null is no answer either: tapable would stop at it.
      hook.tapPromise(labelTap(tap), async (context) => (await callTap(name, tap, [context])) ?? undefined)
    }
    return hook
  },
  before({ library, name, taps }) {
    const hook = new library.AsyncSeriesHook<[unknown]>(['context'])
    for (const tap of taps) {
      hook.tapPromise(labelTap(tap), async (context) => void (await callTap(name, tap, [context])))
    }
    return hook
  },
  after({ library, taps, attempt }) {
    const hook = new library.AsyncSeriesHook<[unknown]>(['context'])
    for (const tap of taps) hook.tapPromise(labelTap(tap), (context) => attempt(tap, context))
    return hook
  },
  on({ library, taps, attempt }) {
    const hook = new library.SyncHook<[unknown]>(['context'])
    for (const tap of taps) hook.tap(labelTap(tap), (context) => void attempt(tap, context))
    return hook
  },
}

function labelTap(tap: Tap): { readonly name: string; readonly stage: number } {
  return { name: tap.plugin, stage: tap.stage }
}

interface TapStore {
  add(name: HookName, tap: Tap): Dispose
  has(name: HookName): boolean
  compile<Shape extends HookShape>(library: typeof Tapable, shape: Shape, name: HookName): Compiled[Shape]
}

/** A tapable hook cannot lose a tap: it is compiled at its next call after each change. */
function createTapStore(attempt: (name: HookName, tap: Tap, context: unknown) => Promise<void>): TapStore {
  const taps = new Map<HookName, readonly Tap[]>()
  const compiled = new Map<HookName, Compiled[HookShape]>()
  const listTaps = (name: HookName): readonly Tap[] => taps.get(name) ?? []

  function change(name: HookName, list: readonly Tap[]): void {
    taps.set(name, list)
    compiled.delete(name)
  }

  return {
    has: (name) => listTaps(name).length > 0,
    add(name, added) {
      change(name, [...listTaps(name), added])
      return () =>
        change(
          name,
          listTaps(name).filter((tap) => tap !== added),
        )
    },
    compile<Shape extends HookShape>(library: typeof Tapable, shape: Shape, name: HookName) {
      const known = compiled.get(name) as Compiled[Shape] | undefined
      if (known) return known
      const bound = (tap: Tap, context: unknown) => attempt(name, tap, context)
      const hook = compilers[shape]({ library, name, taps: listTaps(name), attempt: bound })
      compiled.set(name, hook)
      return hook
    },
  }
}

interface Pending {
  track(work: Promise<void>): Promise<void>
  idle(): Promise<void>
}

function createPending(): Pending {
  const pending = new Set<Promise<void>>()
  return {
    track(work) {
      const tracked = work.finally(() => pending.delete(tracked))
      pending.add(tracked)
      return tracked
    },
    async idle() {
      while (pending.size > 0) await Promise.allSettled(pending)
    },
  }
}

/** Calls observers in the order of the events, also of those that arrive while tapable is being imported. */
function createEmitter(store: TapStore, pending: Pending): Hooks['emit'] {
  const waiting: (() => void)[] = []
  async function flush(): Promise<void> {
    await loadTapable()
    for (const call of waiting.splice(0)) call()
  }
  return (name, context) => {
    if (!store.has(name)) return
    const call = (): void => {
      if (tapable) store.compile(tapable, 'on', name).call(context)
    }
    if (tapable && waiting.length === 0) return call()
    if (waiting.push(call) === 1) void pending.track(flush())
  }
}

/** Hooks without taps. Warnings come from taps of `after…` and `on…`, whose errors never fail an operation. */
export function createHooks(options: { readonly onWarning: (warning: HookWarning) => void }): Hooks {
  const pending = createPending()
  const store = createTapStore(attempt)
  // A warning is an event itself: an observer that throws at each one would be told of without end.
  const told = new Set<Tap>()

  function attempt(name: HookName, tap: Tap, context: unknown): Promise<void> {
    const { plugin, fn } = tap
    return pending.track(
      runAs(plugin, async () => void (await fn(context as never))).catch((cause: unknown) => {
        if (told.has(tap)) return
        if (hookTable[name].shape === 'on') told.add(tap)
        const message = `plugin ${plugin} failed in ${name}: ${describeError(cause)}`
        options.onWarning({ plugin, cause, message })
      }),
    )
  }

  return {
    idle: () => pending.idle(),
    tapped: (name) => store.has(name),
    emit: createEmitter(store, pending),
    tap: (plugin, name, { fn, stage = 0 }) => store.add(name, { plugin, stage, fn }),
    async resolve(name, value, context) {
      if (!store.has(name)) return value
      const hook = store.compile(await loadTapable(), 'resolve', name)
      return (await hook.promise(value, context)) as typeof value
    },
    async select(name, context) {
      if (!store.has(name)) return undefined
      const hook = store.compile(await loadTapable(), 'select', name)
      return (await hook.promise(context)) as Result<typeof name> | undefined
    },
    async before(name, context) {
      if (store.has(name)) await store.compile(await loadTapable(), 'before', name).promise(context)
    },
    async after(name, context) {
      if (store.has(name)) await store.compile(await loadTapable(), 'after', name).promise(context)
    },
  }
}
