import { randomBytes } from 'node:crypto'
import type {
  Base,
  EnvironmentSpec,
  ExecRequest,
  PluginDefinition,
  PluginManifest,
  Process,
  Provider,
  ProviderContext,
} from '@holm/core'
import { collect, type Output } from '../collect.ts'
import { createTestContext } from '../context.ts'
import { createSpec } from '../spec.ts'
import { waitFor } from './wait-for.ts'

/** What is under test, with what it needs. */
export interface Subject {
  readonly provider: Provider
  /** Parts of the context it is called with; give a `runner` when the provider starts programs. */
  readonly context?: Partial<Omit<ProviderContext, 'signal'>>
  /** Networks in the runtime that carry this provider's label; for one that makes a named network when it is missing. */
  networks?(): Promise<readonly string[]>
  dispose?(): Promise<void> | void
}

export interface ProviderKitOptions {
  /** Makes the provider, once per suite run. Its namespace must belong to this test alone: the kit removes what it finds there. */
  readonly create: () => Subject | Promise<Subject>
  /** A base that is on this machine and has sh and coreutils or busybox. */
  readonly base: Base
  /** The `holm` key of the package.json. */
  readonly manifest: PluginManifest
  /** Default export of the package; absent only where there is no package. */
  readonly plugin?: PluginDefinition
  /** How often idempotent calls are repeated. Default 3. */
  readonly repeat?: number
  /** How many things are done at once. Default 6. */
  readonly parallel?: number
  /** A folder inside that exists, can be written, and survives a stop. Default `/root`. */
  readonly folder?: string
  /** Deadline of one check. Default 60 s. */
  readonly timeoutMs?: number
  /** Fields of every spec, for example `options`. */
  readonly spec?: Partial<EnvironmentSpec>
  /** Why the runtime cannot be used here: everything is skipped, printed with this reason, and counted. */
  readonly unavailable?: string | undefined
  /** Check or suite to the reason why it does not apply. Printed and counted; a name that does not exist is an error. */
  readonly skip?: Readonly<Record<string, string>>
  /** Program that makes the main process' log contain a line; default writes to /proc/1/fd/1. */
  readonly logCommand?: (line: string) => readonly string[]
}

/** One rule of the contract. Its name is its key in the suite. */
export type Check = (kit: Kit) => Promise<void>

export interface Suite {
  readonly name: string
  readonly checks: Readonly<Record<string, Check>>
}

/** Thrown by `kit.skip`: the rule does not apply to this provider. */
export interface SkipSignal {
  readonly skipReason: string
}

/** What a check works with. Everything made through it is removed after the check, also when it fails. */
export interface Kit {
  readonly provider: Provider
  readonly options: ProviderKitOptions
  readonly folder: string
  readonly repeat: number
  readonly parallel: number
  /** Networks that the provider has made, where the subject can tell. */
  readonly networks: Subject['networks']
  /** Name of a variable that is in this process' environment and must be in no other. */
  readonly canary: string
  /** A fresh context; its signal never fires unless one is given. */
  context(signal?: AbortSignal): ProviderContext
  /** A new name, remembered for removal. */
  name(): string
  /** A spec with a new name. A name given in the overrides is remembered, too. */
  spec(overrides?: Partial<EnvironmentSpec>): EnvironmentSpec
  /** Creates, does not start. Returns the name. */
  create(overrides?: Partial<EnvironmentSpec>): Promise<string>
  /** Creates and starts. Returns the name. */
  start(overrides?: Partial<EnvironmentSpec>): Promise<string>
  /** A running environment that checks share; they must not stop or change it. */
  shared(): Promise<string>
  /** `cwd` defaults to `folder`. */
  exec(name: string, request: readonly string[] | ExecRequest, signal?: AbortSignal): Promise<Process>
  /** Runs to the end. With `input`, stdin is a pipe. */
  run(name: string, request: readonly string[] | ExecRequest, input?: Uint8Array | string): Promise<Output>
  /** `run`, and an error with everything it said unless the code is 0. Returns stdout. */
  output(name: string, request: readonly string[] | ExecRequest): Promise<string>
  inspect(name: string): ReturnType<Provider['inspect']>
  /** Whether the process with this id lives, as seen inside. */
  lives(name: string, pid: string): Promise<boolean>
  waitForDeath(name: string, pid: string): Promise<void>
  /** Ends the check as skipped. */
  skip(reason: string): never
  /** Called after the check, last first. */
  onTidy(tidy: () => unknown): void
}

/** The kit and the two calls that only its driver makes. */
export interface KitSession extends Kit {
  /** Removes what the last check made. */
  tidy(): Promise<void>
  /** Removes everything of the namespace and ends the subject. */
  close(): Promise<void>
}

/** Makes the subject and a kit over it, in an empty namespace. */
export async function openKit(options: ProviderKitOptions): Promise<KitSession> {
  // Before the subject is made: what it takes from process.env, it takes now.
  const canary = `HOLM_TESTKIT_CANARY_${randomBytes(4).toString('hex')}`
  process.env[canary] = 'this must not be seen inside'
  const subject = await options.create()
  const { provider } = subject
  const context = (signal?: AbortSignal): ProviderContext => ({
    ...createTestContext(signal === undefined ? {} : { signal }),
    ...subject.context,
  })
  await sweep(provider, context())
  const own = createTracker(provider, context)
  const kit: Kit = {
    ...createBasics({ provider, options, context, networks: subject.networks?.bind(subject) }),
    name: own.name,
    spec: (overrides = {}) => own.spec({ base: options.base, ...options.spec, ...overrides }),
    create: async (overrides) => {
      const spec = kit.spec(overrides)
      await provider.create(spec, context())
      return spec.name
    },
    start: async (overrides) => {
      const name = await kit.create(overrides)
      await provider.start(name, context())
      return name
    },
    shared: () => own.shared(kit),
    onTidy: own.onTidy,
    canary,
  }
  return {
    ...kit,
    tidy: own.tidy,
    close: async () => {
      await own.tidy()
      await sweep(provider, context())
      await subject.dispose?.()
      delete process.env[canary]
    },
  }
}

/** What `openKit` adds. */
type Made = 'name' | 'spec' | 'create' | 'start' | 'shared' | 'onTidy' | 'canary'
type Basics = Pick<Kit, 'provider' | 'options' | 'context' | 'networks'>

function createBasics(basics: Basics): Omit<Kit, Made> {
  const { provider, options, context } = basics
  const folder = options.folder ?? '/root'
  const exec: Kit['exec'] = (name, request, signal) =>
    provider.exec(
      name,
      { cwd: folder, ...('argv' in request ? request : { argv: request }) },
      context(signal),
    )
  const run: Kit['run'] = async (name, request, input) => {
    const full = 'argv' in request ? request : { argv: request }
    return collect(await exec(name, { ...full, stdin: input === undefined ? 'ignore' : 'pipe' }), input)
  }
  const lives: Kit['lives'] = async (name, pid) => {
    // A zombie answers signals and does nothing else: it is dead.
    const script = 'kill -0 "$1" 2>/dev/null || exit 1; ! grep -q "^State:.Z" "/proc/$1/status" 2>/dev/null'
    return (await run(name, ['sh', '-c', script, 'sh', pid])).code === 0
  }
  return {
    ...basics,
    folder,
    repeat: options.repeat ?? 3,
    parallel: options.parallel ?? 6,
    exec,
    run,
    output: async (name, request) => {
      const { code, text, errorText } = await run(name, request)
      if (code === 0) return text
      throw new Error(`${JSON.stringify(request)} ended with ${code}: ${text}${errorText}`)
    },
    inspect: (name) => provider.inspect(name, context()),
    lives,
    waitForDeath: async (name, pid) => {
      await waitFor(async () => !(await lives(name, pid)), {
        intervalMs: 100,
        what: `process ${pid} of ${name} to end`,
      })
    },
    skip: (reason) => {
      const signal: SkipSignal = { skipReason: reason }
      throw Object.assign(new Error(`skipped: ${reason}`), signal)
    },
  }
}

interface Tracker {
  name(): string
  spec(overrides: Partial<EnvironmentSpec>): EnvironmentSpec
  shared(kit: Kit): Promise<string>
  onTidy(tidy: () => unknown): void
  tidy(): Promise<void>
}

function createTracker(provider: Provider, context: () => ProviderContext): Tracker {
  const names = new Set<string>()
  const tidies: (() => unknown)[] = []
  const prefix = `t-${randomBytes(3).toString('hex')}`
  let count = 0
  let shared: string | undefined
  const name = (): string => {
    count += 1
    names.add(`${prefix}-${count}`)
    return `${prefix}-${count}`
  }
  return {
    name,
    spec: (overrides) => {
      const spec = createSpec({ ...overrides, name: overrides.name ?? name() })
      names.add(spec.name)
      return spec
    },
    shared: async (kit) => {
      if (shared !== undefined && (await kit.inspect(shared)).status === 'running') return shared
      shared = await kit.start()
      return shared
    },
    onTidy: (tidy) => void tidies.push(tidy),
    tidy: async () => {
      const failures: unknown[] = []
      const attempt = (action: () => unknown): Promise<void> =>
        Promise.resolve()
          .then(action)
          .then(
            () => undefined,
            (error: unknown) => void failures.push(error),
          )
      for (const each of [...names].filter((each) => each !== shared)) {
        await attempt(() => provider.remove(each, { volumes: true }, context()))
        names.delete(each)
      }
      while (tidies.length > 0) await attempt(tidies.pop() ?? (() => undefined))
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** Removes every environment the provider lists, with its volumes. For namespaces that belong to a test. */
export async function sweep(provider: Provider, ctx: ProviderContext): Promise<readonly string[]> {
  const found = await provider.list(ctx)
  for (const { name } of found) await provider.remove(name, { volumes: true }, ctx)
  return found.map(({ name }) => name)
}
