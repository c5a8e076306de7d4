import type { Base, BaseKind, EnvironmentSpec } from './spec.ts'
import type { Process, Runner, TerminalSize } from './process.ts'
import type { Facets } from './facets.ts'
import type { StandardSchema } from './standard-schema.ts'

/**
 * A provider runs environments **on the machine it is on**. It has no remote methods: remote work is the same provider
 * run by a node agent on the other machine.
 *
 * Call order: `probe` may be called at any time. `create` -> `start` -> `exec`… -> `stop` -> `remove`; `start` after
 * `stop` keeps the environment's files. The host never calls two changing methods for one name at once from one
 * process, but other holm processes may: a provider leaves the runtime to arbitrate, and the loser gets
 * HOLM_ENVIRONMENT_BUSY or HOLM_ENVIRONMENT_CONFLICT, never a half-made environment.
 *
 * Idempotency: `start` on a running, `stop` on a stopped and `remove` on an absent environment succeed and change nothing:
 * a repeated `start` keeps `startedAt` and what runs inside. `create` for a name that exists with the same `labels` returns
 * it as it is, also running; with other labels it is HOLM_ENVIRONMENT_CONFLICT.
 *
 * Unknown names: `inspect` returns state `absent` without labels; `stop` and `remove` succeed. `exec`, `start` and facet
 * methods throw HOLM_ENVIRONMENT_NOT_FOUND.
 *
 * What lasts: files last from `create` to `remove`, through `stop` and `start`; a tmpfs is empty after each start; bind
 * mounts are never removed; named volumes outlive their environments until `remove` is asked for them. Labels come back
 * exactly as they were given: empty, long, with any character. Only `pids` may have a limit that nobody asked for.
 *
 * Networks: a named network that does not exist is refused with HOLM_BLUEPRINT_UNSUPPORTED, HOLM_BLUEPRINT_INVALID or
 * HOLM_ENVIRONMENT_FAILED, or the provider makes it: then it carries the provider's label and is removed with the last
 * environment that uses it.
 *
 * Clean-up: when `create` fails or is aborted the provider removes what it made. Everything it makes carries
 * the spec's labels, so that what a killed process left is found by `list` (status `creating` or `failed`) and removed by `remove`.
 * A runtime that goes away in the middle is HOLM_PROVIDER_UNAVAILABLE with `details.lost` true: something may have been made, and
 * is found when the runtime is back. Without `lost` the runtime was not there to begin with.
 *
 * Purity: no provider reads `process.env`, the current folder, or starts a program except through `ctx.runner`.
 */
export interface Provider extends Partial<Facets> {
  readonly id: string
  readonly traits: Traits
  /** Schema of this provider's section in a blueprint (`providers.<id>`). Absent: no options, any section is an error. */
  readonly optionsSchema?: StandardSchema
  /** Is the runtime there and usable? Never throws for an absent runtime; answers within 3 s. */
  probe(ctx: ProviderContext, options?: ProbeOptions): Promise<Probe>
  /**
   * Makes the environment, not started. Fetches the base when it is missing; one that cannot be had is HOLM_IMAGE_MISSING,
   * HOLM_BASE_NOT_FOUND or HOLM_BASE_INVALID. Returns state `stopped`.
   */
  create(spec: EnvironmentSpec, ctx: ProviderContext): Promise<EnvironmentState>
  inspect(name: string, ctx: ProviderContext): Promise<EnvironmentState>
  /** All environments of this namespace, whoever made them. */
  list(ctx: ProviderContext): Promise<readonly EnvironmentState[]>
  /**
   * Returns when processes can be executed in it: state `running`, with `startedAt`. Wished ports are published again at
   * every start; one that is in use is HOLM_PORT_TAKEN (here or from `create`). A main process that ended at once is
   * HOLM_ENVIRONMENT_FAILED, with its code in `details.exitCode` where it had run.
   */
  start(name: string, ctx: ProviderContext): Promise<EnvironmentState>
  /**
   * SIGTERM to the main process, after `graceMs` SIGKILL; every process inside ends with it, also those in the background.
   * A paused environment can be stopped, and removed. Returns state `stopped` (or `absent`).
   */
  stop(name: string, options: StopOptions, ctx: ProviderContext): Promise<EnvironmentState>
  /**
   * Starts a program inside; resolves when it runs. A missing program exits 127, a non-executable one 126, as in a shell.
   * An environment that is not running, a paused one included, is HOLM_ENVIRONMENT_NOT_RUNNING. What the program leaves in
   * the background goes on. Aborting `ctx.signal` kills the program and its children, and so does a signal from
   * `Process.kill` reach them; a program whose environment is removed ends.
   */
  exec(name: string, request: ExecRequest, ctx: ProviderContext): Promise<Process>
  /**
   * Stops it if needed and removes everything of it; named volumes only when asked, and never one that another environment
   * uses. Clones of it live on.
   */
  remove(name: string, options: RemoveOptions, ctx: ProviderContext): Promise<void>
}

/** What every call gets. `progress` and `log` may be called at any rate and never throw. */
export interface ProviderContext {
  readonly signal: AbortSignal
  readonly runner: Runner
  readonly log: Logger
  progress(update: ProgressUpdate): void
}

export interface Logger {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
}

export interface ProgressUpdate {
  /** What is being done, for people: "pulling debian:12". */
  readonly message: string
  /** A part of it, for example an image layer. */
  readonly item?: string
  readonly current?: number
  readonly total?: number
  readonly unit?: 'bytes' | 'items'
}

/** Serialisable facts about a provider, used to choose and to adapt. The package.json manifest repeats them. */
export interface Traits {
  readonly isolation: 'none' | 'process' | 'container' | 'system-container' | 'vm'
  /** Runs without root on this machine. */
  readonly rootless: boolean
  /** Which kinds of base it takes, best first. */
  readonly bases: readonly BaseKind[]
  readonly mounts: readonly ('bind' | 'volume' | 'tmpfs')[]
  /** Limits it can apply where the machine permits. */
  readonly limits: readonly LimitName[]
  /** 'default' and 'host'/'none'/'named' as far as `spec.network` may ask. */
  readonly networks: readonly ('default' | 'none' | 'host' | 'named')[]
  /** Published ports are mapped; false: a port listens on this machine as it is. */
  readonly mapsPorts: boolean
  /** Runs services that are made from images: see `EnvironmentSpec.companion`. In a named network environments find each other by their `aliases`. */
  readonly companions?: boolean
  /** A Docker engine can run inside an environment: see `EnvironmentSpec.nestedDocker`. */
  readonly nestedDocker?: boolean
}

export type LimitName = 'cpus' | 'memory' | 'disk' | 'pids'

export interface ProbeOptions {
  /** Asked on the way to something else: only `usable` and its reason count, version and limitations may be left out. */
  readonly quick?: boolean
}

export interface Probe {
  readonly usable: boolean
  /** Runtime's name and version as it reports it, for example "Docker Engine 28.5.2". */
  readonly version?: string
  /** Why it is not usable, one sentence. */
  readonly reason?: string
  /** What makes it usable, one imperative sentence with the command. */
  readonly fix?: string
  /** What is true and weaker than a user may expect, one sentence each ("network is shared with this machine"). */
  readonly limitations: readonly string[]
}

export type EnvironmentStatus = 'absent' | 'creating' | 'stopped' | 'running' | 'paused' | 'failed'

export interface PortBinding {
  readonly container: number
  readonly host: number
  readonly hostIp: string
  readonly protocol: 'tcp' | 'udp'
}

export interface AppliedLimit {
  readonly name: LimitName
  /** Cores, bytes or a count. */
  readonly value: number
  /** What enforces it ("cgroup v1 memory", "prlimit"), or null when nothing does. */
  readonly enforcedBy: string | null
}

/** What the runtime says, now. JSON-safe. */
export interface EnvironmentState {
  readonly name: string
  readonly provider: string
  readonly status: EnvironmentStatus
  /** The runtime's own id of it. */
  readonly id?: string
  /** ISO 8601. */
  readonly createdAt?: string
  readonly startedAt?: string
  /** Cause of `failed`, or of an unexpected `stopped`. */
  readonly reason?: string
  /** Of a companion's main process that has ended. */
  readonly exitCode?: number
  /** How often the runtime has started a companion again by itself. */
  readonly restarts?: number
  /** User that programs run as when a request names none, where the provider knows; `exec` is quicker when it is told. */
  readonly user?: string
  readonly labels: Readonly<Record<string, string>>
  /** Empty unless it runs. */
  readonly ports: readonly PortBinding[]
  /**
   * Address under which this machine reaches what listens inside, as the runtime knows it; '127.0.0.1' where what listens inside
   * listens on this machine. Absent: it has none, it does not run, or it was listed, not inspected.
   */
  readonly address?: string
  /** What was asked for, with what enforces it; it may be empty while nothing runs. */
  readonly limits: readonly AppliedLimit[]
}

export interface ExecRequest {
  readonly argv: readonly string[]
  readonly cwd?: string
  /** Wins over the spec's env, for this call alone. PATH is always set; nothing of holm's own environment gets inside. */
  readonly env?: Readonly<Record<string, string>>
  /** Name or numeric id, optionally with ":group"; a numeric id needs no entry in the environment's user database. */
  readonly user?: string
  readonly stdin?: 'pipe' | 'ignore'
  readonly pty?: TerminalSize
}

export interface StopOptions {
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly graceMs: number
}

export interface RemoveOptions {
  /** Also remove named volumes that belong to this environment alone. */
  readonly volumes: boolean
  /** Names of volumes with `VolumeMount.own`, which go whatever `volumes` says. Only where the trait `nestedDocker` meets volumes. */
  readonly own?: readonly string[]
}

/** What is known of an image or rootfs before an environment is made from it. */
export interface BaseInfo {
  readonly base: Base
  /** Runtime's id or digest of it. */
  readonly id: string
  readonly sizeBytes?: number
  readonly labels: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  readonly user?: string
  readonly workdir?: string
}
