/**
 * The one internal model. Every blueprint format is a pure translation into `EnvironmentSpec`; every provider
 * translates from it. All of it is readonly and JSON-safe, so that a provider can live in another process.
 *
 * Units: sizes are bytes, times are milliseconds, CPU is a number of cores (1.5 = one and a half).
 */

/** Where an environment's root filesystem comes from, after the host has resolved names and catalogue entries. */
export type Base =
  /** This machine's own files, read-only. Only for providers whose traits list it (sandbox). */
  | { readonly kind: 'host' }
  /** An OCI image by reference; `digest` ("sha256:…") wins over the tag. */
  | { readonly kind: 'image'; readonly reference: string; readonly digest?: string }
  /** A local root filesystem tarball (plain, .gz, .xz or .zst), absolute path, with the SHA-256 of the file. */
  | { readonly kind: 'rootfs'; readonly name: string; readonly path: string; readonly sha256: string }
  /** An unpacked root filesystem, absolute path. The provider never writes into it. */
  | { readonly kind: 'folder'; readonly name: string; readonly path: string }
  /** A local disk image that boots, for virtual machines: absolute path, with the SHA-256 of the file. */
  | {
      readonly kind: 'disk'
      readonly name: string
      readonly path: string
      readonly format: 'qcow2' | 'raw'
      readonly sha256: string
    }
  /** A Dockerfile, for providers with the `build` facet. Paths are absolute. */
  | {
      readonly kind: 'build'
      readonly context: string
      readonly dockerfile: string
      readonly args: Readonly<Record<string, string>>
      readonly target?: string
      readonly cacheFrom?: readonly string[]
    }

export type BaseKind = Base['kind']

export interface BindMount {
  readonly type: 'bind'
  /** Absolute path on this machine. */
  readonly source: string
  readonly target: string
  readonly readonly: boolean
}

export interface VolumeMount {
  readonly type: 'volume'
  /** Volume name as the user wrote it; providers prefix it with their namespace. Absent: anonymous. */
  readonly source?: string
  readonly target: string
  readonly readonly: boolean
  /** Of the host's own making for this environment: it goes with it (`RemoveOptions.own`), but stays when that is made anew. */
  readonly own?: true
}

export interface TmpfsMount {
  readonly type: 'tmpfs'
  readonly target: string
  readonly sizeBytes?: number
}

export type Mount = BindMount | VolumeMount | TmpfsMount

export interface PortRequest {
  readonly container: number
  /** Absent: the provider picks a free port of this machine. */
  readonly host?: number
  /** Address published on; '127.0.0.1' unless the blueprint names another. */
  readonly hostIp: string
  readonly protocol: 'tcp' | 'udp'
}

/** Applied, not only stored: a provider that cannot apply one says so in `EnvironmentState.limits`. */
export interface Resources {
  readonly cpus?: number
  readonly memoryBytes?: number
  readonly diskBytes?: number
  readonly pids?: number
}

/** Everything looser than the defaults of a provider is named here and shown by `holm status`. */
export interface Security {
  readonly privileged: boolean
  readonly capAdd: readonly string[]
  readonly capDrop: readonly string[]
  readonly securityOpt: readonly string[]
  /** Host devices, absolute paths. */
  readonly devices: readonly string[]
}

/** One command of a blueprint. `shell` asks for a shell, `argv` runs without one. */
export type CommandSpec =
  | { readonly shell: string; readonly name?: string }
  | { readonly argv: readonly string[]; readonly name?: string }

/** One stage of the lifecycle: all commands of one inner list run in parallel, the lists one after another. */
export type CommandStage = readonly (readonly CommandSpec[])[]

/** The order is fixed: initialize (this machine), then onCreate, updateContent, postCreate, postStart, postAttach. */
export interface Lifecycle {
  readonly initialize: CommandStage
  readonly onCreate: CommandStage
  readonly updateContent: CommandStage
  readonly postCreate: CommandStage
  readonly postStart: CommandStage
  readonly postAttach: CommandStage
  /** `up` returns after this stage; the later ones go on in the background of the environment. */
  readonly waitFor: LifecycleStage
}

export type LifecycleStage =
  | 'initialize'
  | 'onCreate'
  | 'updateContent'
  | 'postCreate'
  | 'postStart'
  | 'postAttach'

/** What the host installs through `provider.exec`, in this order: packages, tools, setup, environment, postInstall. */
export interface Provision {
  readonly packages: readonly string[]
  /** Tool name to wanted version, for example `{ node: '20', python: '3.11' }`. */
  readonly tools: Readonly<Record<string, string>>
  readonly setup: readonly string[]
  readonly postInstall: readonly string[]
  /** Docker's engine and client, from the distribution, unless they are there; before the packages. */
  readonly docker?: true
}

export interface HealthCheck {
  readonly kind: 'http' | 'tcp' | 'command'
  readonly url?: string
  readonly port?: number
  readonly command?: CommandSpec
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
}

/**
 * What a service with a root filesystem of its own has besides: it runs as a companion of its environment, see `CompanionSpec`.
 * Where the provider cannot, a service with a command runs inside its environment instead, and has none of this.
 */
export interface ServiceContainer {
  readonly base: Extract<Base, { kind: 'image' | 'build' }>
  /** Instead of what the base declares. An empty list: nothing. */
  readonly entrypoint?: readonly string[]
  /** Arguments of the entrypoint, instead of the base's. */
  readonly args?: readonly string[]
  /** Names that it is found by, besides the service's own. */
  readonly aliases?: readonly string[]
  readonly hostname?: string
  readonly user?: string
  readonly workdir?: string
  readonly init?: boolean
  /** Named volumes are the environment's own: another environment with the same blueprint has others. */
  readonly mounts: readonly Mount[]
  readonly resources?: Resources
  readonly security?: Partial<Security>
}

/** Parsed and validated now; the workspace package runs them. */
export interface ServiceSpec {
  readonly name: string
  /** Of a service that runs inside the environment. */
  readonly command?: CommandSpec
  /** Of one that runs beside it, from an image. */
  readonly container?: ServiceContainer
  readonly env: Readonly<Record<string, string>>
  readonly ports: readonly PortRequest[]
  readonly dependsOn: readonly string[]
  readonly healthCheck?: HealthCheck
  /** What needs it waits until it has ended with 0. */
  readonly task?: true
  readonly restart: 'no' | 'on-failure' | 'always'
}

/** A secret is only ever a reference here; its value is read at the moment of use and never stored. */
export type SecretReference =
  | { readonly from: 'env'; readonly key: string; readonly optional: boolean }
  | { readonly from: 'file'; readonly path: string; readonly optional: boolean }
  | { readonly from: 'command'; readonly argv: readonly string[]; readonly optional: boolean }

/** How and by whom commands run inside, unless the call says otherwise. */
export interface ExecDefaults {
  readonly user?: string
  readonly workdir?: string
  /** Added to every exec, not to the environment itself; null unsets. */
  readonly env: Readonly<Record<string, string | null>>
  /** Which shell is asked for the user's environment, once, after start. */
  readonly probe: 'none' | 'loginShell' | 'interactiveShell' | 'loginInteractiveShell'
}

/** An environment that belongs to another one: a service that is made from an image. Only providers with the trait `companions` get it. */
export interface CompanionSpec {
  /** Name of the environment it belongs to; both are in one named network. */
  readonly of: string
  readonly service: string
  /** As in `ServiceContainer`; absent: what the base declares. */
  readonly entrypoint?: readonly string[]
  readonly args?: readonly string[]
  /** What the runtime itself does when the main process ends. */
  readonly restart: 'no' | 'on-failure' | 'always'
}

/** Where a spec came from. */
export interface SpecOrigin {
  /** Name of the blueprint, for people. */
  readonly blueprint: string
  /** Absolute path of the blueprint's file, or `builtin:<name>`. */
  readonly source: string
  readonly format: string
  /** Absolute path of the project folder; the current folder for a built-in. */
  readonly project: string
}

/** What the caller of `up` adds to what the blueprint says. It is kept with the environment: a later `up` need not repeat it. */
export interface SpecOverlay {
  readonly mounts?: readonly Mount[]
  /** Paths in the project folder, relative to it, that cannot be written inside, wherever the project is mounted. */
  readonly readonlyPaths?: readonly string[]
  /** Added to every exec. */
  readonly env?: Readonly<Record<string, string>>
  /** Instead of the blueprint's, one by one. */
  readonly resources?: Resources
  /** The caller brings the project's files: the hook `beforeLifecycle` is called when there is a place for them. */
  readonly bringsFiles?: boolean
  /** As `docker` of a blueprint: an engine of its own inside. */
  readonly docker?: boolean
}

export interface EnvironmentSpec {
  /** Lower-case letters, digits and hyphens, 1 to 40 characters; unique in a namespace. */
  readonly name: string
  readonly description?: string
  readonly origin: SpecOrigin
  readonly base: Base
  readonly hostname: string
  /** User of the environment's own main process; absent: the base's. */
  readonly user?: string
  /** Give `user` the numeric id of the caller, so that files of a bind mount have one owner (Linux). */
  readonly matchUserId: boolean
  /** Main process. 'hold': stay up and wait; 'base': what the base itself declares. */
  readonly main: 'hold' | 'base'
  /** An init process (PID 1) that reaps zombies and passes signals on. */
  readonly init: boolean
  readonly env: Readonly<Record<string, string>>
  readonly exec: ExecDefaults
  readonly mounts: readonly Mount[]
  readonly ports: readonly PortRequest[]
  /** Ports that other environments may reach, without publishing them on this machine. */
  readonly expose: readonly number[]
  /** 'default', 'none', 'host', or the name of a network of the provider. */
  readonly network: string
  /** Names that others in its named network find it by. Only providers with the trait `companions` get any. */
  readonly aliases?: readonly string[]
  readonly companion?: CompanionSpec
  readonly resources: Resources
  readonly security: Security
  /**
   * A Docker engine of its own runs inside. The host installs and starts it; the provider gives the environment the rights that it
   * needs. Only providers with the trait `nestedDocker` get it.
   */
  readonly nestedDocker?: true
  readonly provision: Provision
  readonly lifecycle: Lifecycle
  readonly services: readonly ServiceSpec[]
  /** Environment variable name to reference. */
  readonly secrets: Readonly<Record<string, SecretReference>>
  /** `holm stop`/leave behaviour named by the blueprint. */
  readonly shutdown: 'stop' | 'none'
  /** Provider-specific sections, by provider id, each validated by that provider's `optionsSchema`. */
  readonly options: Readonly<Record<string, unknown>>
  /** Written by the host; a provider stores them with the environment and returns them, nothing more. */
  readonly labels: Readonly<Record<string, string>>
}
