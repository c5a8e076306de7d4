import type { Blueprint } from './blueprint.ts'
import type { CommandDefinition } from './command.ts'
import type { CopiesApi } from './copies-api.ts'
import type { EnvironmentSpec, Mount, ServiceSpec, SpecOverlay } from './spec.ts'
import type { FacetName, LogChunk, LogsOptions, MetricsSample } from './facets.ts'
import type { IdleApi } from './idle-api.ts'
import type { AppliedLimit, EnvironmentState, ExecRequest, PortBinding, Probe, Traits } from './provider.ts'
import type { ErrorCode } from './errors.ts'
import type { HolmEvent, StoredEvent } from './events.ts'
import type { HookName } from './hooks.ts'
import type { PluginKind } from './plugin.ts'
import type { PortsApi } from './ports-api.ts'
import type { Process } from './process.ts'

/** Common to every host call. */
export interface CallOptions {
  readonly signal?: AbortSignal
  readonly onEvent?: (event: HolmEvent) => void
}

export interface UpOptions extends CallOptions {
  /** Blueprint: a built-in's name, a file, a folder. Absent: the one of `cwd`. */
  readonly blueprint?: string
  readonly name?: string
  readonly provider?: string
  /** Overrides the blueprint's base. */
  readonly base?: string
  /** Added to the blueprint; absent: what the environment was made with. */
  readonly overlay?: SpecOverlay
  /** A Docker engine of its own inside, whatever the blueprint says. */
  readonly docker?: boolean
  /** Remove the environment and make it anew. One that has snapshots is HOLM_CONFIRMATION_REQUIRED, with their names in `details.snapshots`. */
  readonly recreate?: boolean
  /** The snapshots of what is recreated may go with it. */
  readonly removeSnapshots?: boolean
  /** Leave a failed environment for a look inside, instead of removing it. */
  readonly keep?: boolean
  readonly cwd?: string
  /** The project folder, absolute, where it is not the blueprint's own: a worktree, for example. */
  readonly project?: string
}

export interface UpResult {
  readonly environment: EnvironmentInfo
  /** 'created', 'started' (was stopped), 'running' (nothing to do), 'recreated'. */
  readonly outcome: 'created' | 'started' | 'running' | 'recreated'
  /** Keys of the spec that differ from the environment as it runs; empty when it is up to date. */
  readonly changed: readonly string[]
  readonly selection: ProviderSelection
  /** Name of the golden image it was made from, when it was. */
  readonly image?: string
  readonly steps: readonly { readonly step: string; readonly elapsedMs: number; readonly skipped?: string }[]
  readonly warnings: readonly string[]
}

export interface ProviderSelection {
  readonly provider: string
  /** One sentence: "docker: the first usable one that fits (container)". */
  readonly reason: string
  readonly considered: readonly {
    readonly id: string
    readonly fits: boolean
    readonly reasons: readonly string[]
  }[]
}

/** An environment as holm knows it: the runtime's truth joined with what holm recorded. */
export interface EnvironmentInfo {
  readonly name: string
  readonly provider: string
  /** 'unknown': its provider cannot be asked now, `reason` says why. */
  readonly status: EnvironmentState['status'] | 'unknown'
  readonly blueprint: string
  readonly source: string
  readonly project: string
  readonly createdAt: string | undefined
  readonly startedAt: string | undefined
  readonly reason: string | undefined
  readonly ports: readonly PortBinding[]
  /** As in `EnvironmentState`. */
  readonly address: string | undefined
  readonly limits: readonly AppliedLimit[]
  readonly user: string | undefined
  readonly workdir: string | undefined
  /** As it was made: of its blueprint, and what `up` was told to add. */
  readonly mounts: readonly Mount[]
  /** Of its blueprint, in the order they can be started in. */
  readonly services: readonly ServiceSpec[]
  /** Of one that is a service of another environment. */
  readonly partOf?: { readonly environment: string; readonly service: string }
  /** Everything looser than the provider's defaults, one sentence each. */
  readonly looser: readonly string[]
}

/** A service that is made from an image, as the environment that it is. */
export interface CompanionInfo extends EnvironmentInfo {
  readonly service: string
  /** Of its main process, once that has ended. */
  readonly exitCode: number | undefined
  /** How often the runtime has started it again by itself. */
  readonly restarts: number
  /** holm was asked to stop it: it has not ended by itself. */
  readonly halted: boolean
}

/**
 * The services of one environment that are made from images. Each is an environment of its own, which belongs to this one: it is
 * stopped and removed with it. Services that run inside are not told here.
 */
export interface Companions {
  /** Those that were made, also what an interrupted call left. */
  list(): Promise<readonly CompanionInfo[]>
  /** Makes it unless it is there as the blueprint wants it, and starts it. Returns once it has started, whether or not it has ended since. */
  up(service: string): Promise<CompanionInfo>
  /** One that is not there or does not run is fine. */
  stop(service: string): Promise<void>
  /** As its main process runs: with its image's user, folder and variables unless the request says otherwise. */
  exec(service: string, request: ExecRequest): Promise<Process>
  /** What its main process wrote. */
  logs(service: string, options: LogsOptions): AsyncIterable<LogChunk>
}

export interface ExecOptions extends CallOptions, ExecRequest {
  /** Absent: the environment of `projectFolder` (or of its nearest parent that has one). */
  readonly environment?: string
  readonly projectFolder?: string
  /** Nobody uses the environment by this: it is not counted, and wakes nothing. */
  readonly unattended?: boolean
}

/** As with `exec`; the program is the blueprint's. */
export type CheckOptions = Omit<ExecOptions, 'argv' | 'stdin' | 'pty'>

export interface ProviderInfo {
  readonly id: string
  readonly plugin: string
  readonly platforms: readonly string[]
  readonly facets: readonly FacetName[]
  readonly traits: Traits | undefined
  /** Undefined unless asked to probe. */
  readonly probe?: Probe
}

export interface PluginInfo {
  readonly name: string
  readonly id: string
  readonly kind: PluginKind | 'feature'
  readonly version: string
  readonly origin: 'bundled' | 'installed' | 'linked' | 'config' | 'inline'
  readonly path: string
  readonly commands: readonly string[]
  readonly hooks: readonly HookName[]
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint?: string }
}

export interface ConfigValue {
  readonly key: string
  readonly value: unknown
  /** 'default', 'flag', 'HOLM_X', or the absolute path of a file. */
  readonly source: string
}

export interface DoctorCheck {
  readonly group: 'runtime' | 'machine' | 'holm'
  readonly name: string
  readonly status: 'ok' | 'warning' | 'missing' | 'failed'
  readonly detail: string
  readonly fix?: string
  readonly limitations?: readonly string[]
}

export interface BaseEntry {
  readonly name: string
  readonly description: string
  readonly aliases: readonly string[]
  /** Forms it can be had in: an image reference, a local tarball, a folder, the disk of a machine, a build recipe. */
  readonly image?: string
  readonly digest?: string
  readonly rootfs?: { readonly path: string; readonly sha256: string; readonly sizeBytes: number }
  readonly folder?: string
  readonly disk?: {
    readonly path: string
    readonly format: 'qcow2' | 'raw'
    readonly sha256: string
    readonly sizeBytes: number
  }
  readonly recipe?: string
  readonly origin: 'catalogue' | 'local'
}

export interface BlueprintEntry {
  readonly name: string
  readonly description: string
  readonly base: string
  readonly source: string
}

/** The SDK: everything the CLI can do. Functions return data; progress arrives through `onEvent`. */
export interface HostApi extends CopiesApi {
  up(options?: UpOptions): Promise<UpResult>
  list(options?: CallOptions & { readonly all?: boolean }): Promise<readonly EnvironmentInfo[]>
  /** One environment; HOLM_ENVIRONMENT_NOT_FOUND for an unknown name. */
  status(name?: string, options?: CallOptions & { readonly projectFolder?: string }): Promise<EnvironmentInfo>
  exec(options: ExecOptions): Promise<Process>
  /**
   * Starts the blueprint's `check` in the environment: exit code 0 means that it works. HOLM_USAGE where the blueprint
   * declares none.
   */
  check(options?: CheckOptions): Promise<Process>
  logs(
    name: string | undefined,
    options: LogsOptions & CallOptions & { readonly projectFolder?: string },
  ): AsyncIterable<LogChunk>
  start(name?: string, options?: CallOptions & { readonly projectFolder?: string }): Promise<EnvironmentInfo>
  stop(
    name?: string,
    options?: CallOptions & { readonly graceMs?: number; readonly projectFolder?: string },
  ): Promise<EnvironmentInfo>
  destroy(
    name?: string,
    options?: CallOptions & {
      /** Named volumes, too: all of them, or those of its services from images, which no other environment can have. */
      readonly volumes?: boolean | 'services'
      readonly projectFolder?: string
    },
  ): Promise<{ readonly name: string; readonly existed: boolean }>
  /** HOLM_ENVIRONMENT_NOT_FOUND for an unknown name. */
  companions(environment: string, options?: CallOptions): Companions
  /** Stored events, oldest first. */
  events(options?: { readonly environment?: string; readonly limit?: number }): readonly StoredEvent[]
  readonly blueprints: {
    list(): Promise<readonly BlueprintEntry[]>
    /** The blueprint after `extends`, and the spec it becomes. */
    show(
      reference: string | undefined,
      options?: { readonly cwd?: string },
    ): Promise<{ readonly blueprint: Blueprint | undefined; readonly spec: EnvironmentSpec }>
    validate(
      reference: string | undefined,
      options?: { readonly cwd?: string },
    ): Promise<{ readonly source: string; readonly warnings: readonly string[] }>
    init(options: {
      readonly cwd: string
      readonly template?: string
      readonly force?: boolean
    }): Promise<{ readonly path: string; readonly template: string; readonly reason: string }>
  }
  readonly bases: {
    list(): Promise<readonly BaseEntry[]>
    /** Registers a local tarball, folder, disk or image under a name; nothing is copied. */
    add(name: string, source: string, options?: { readonly disk?: boolean }): Promise<BaseEntry>
    /** Copies a tarball or disk or downloads a URL into the cache (resumable, checksum verified). */
    import(
      name: string,
      source: string,
      options?: CallOptions & { readonly sha256?: string; readonly disk?: boolean },
    ): Promise<BaseEntry>
    /** Builds a root filesystem from the distribution's packages. */
    build(
      name: string,
      options?: CallOptions & {
        readonly include?: readonly string[]
        readonly mirror?: string
        readonly as?: string
      },
    ): Promise<BaseEntry>
    remove(name: string): Promise<BaseEntry>
  }
  readonly providers: {
    list(options?: CallOptions & { readonly probe?: boolean }): Promise<readonly ProviderInfo[]>
    show(id: string, options?: CallOptions): Promise<ProviderInfo>
  }
  readonly config: {
    list(): Promise<readonly ConfigValue[]>
    get(key: string): Promise<ConfigValue>
    set(
      key: string,
      value: string,
      options?: { readonly scope?: 'user' | 'project' },
    ): Promise<{ readonly path: string }>
  }
  readonly plugins: {
    list(): Promise<readonly PluginInfo[]>
    install(specifier: string, options?: CallOptions): Promise<PluginInfo>
    link(folder: string): Promise<PluginInfo>
    remove(name: string): Promise<{ readonly name: string }>
    create(options: {
      readonly folder: string
      readonly name: string
    }): Promise<{ readonly folder: string; readonly files: readonly string[] }>
  }
  /** Commands that plugins add: `list` reads manifests only, `load` imports the one plugin. */
  readonly commands: {
    list(): Promise<readonly (Omit<CommandDefinition, 'run'> & { readonly plugin: string })[]>
    load(id: string): Promise<CommandDefinition>
  }
  readonly ports: PortsApi
  readonly idle: IdleApi
  /** One measurement; undefined where its provider cannot measure. HOLM_ENVIRONMENT_NOT_RUNNING. */
  metrics(name: string, options?: CallOptions): Promise<MetricsSample | undefined>
  doctor(options?: CallOptions): Promise<readonly DoctorCheck[]>
  /** What plugins added with `api.method`, already bound to this host. */
  readonly methods: Readonly<Record<string, (...args: never[]) => unknown>>
  close(): Promise<void>
}
