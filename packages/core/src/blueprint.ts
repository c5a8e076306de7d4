/**
 * The native blueprint: what `holm.yaml` holds after parsing, validation and `extends`. The keys are those of the published
 * JSON Schema (docs/reference/blueprint.md); the snake_case ones keep existing thresh blueprints loading unchanged.
 */
export interface Blueprint {
  readonly $schema?: string
  readonly name?: string
  readonly description?: string
  /** A built-in's name, a file (./x.yaml), or git+https://host/repo.git#<commit>:<path>. Later ones win. */
  readonly extends?: string | readonly string[]
  /** A base's name, `host`, an image reference, or an object that says which. */
  readonly base?: string | BlueprintBase
  /** Preferred provider. */
  readonly provider?: string
  readonly packages?: readonly string[]
  readonly tools?: Readonly<Record<string, string | number>>
  readonly scripts?: {
    readonly setup?: string | readonly string[]
    readonly postInstall?: string | readonly string[]
  }
  readonly environment?: Readonly<Record<string, string | number | boolean>>
  /** 8080, "8080:80", "0.0.0.0:8080:80/udp", or an object. */
  readonly ports?: readonly (number | string | BlueprintPort)[]
  readonly expose?: readonly (number | string)[]
  readonly network?: string
  readonly hostname?: string
  readonly volumes?: readonly {
    readonly name?: string
    readonly mount: string
    readonly readonly?: boolean
  }[]
  readonly bind_mounts?: readonly {
    readonly host: string
    readonly container: string
    readonly readonly?: boolean
  }[]
  readonly tmpfs?: readonly (string | { readonly mount: string; readonly size?: string })[]
  readonly resources?: {
    readonly cpus?: number | string
    readonly memory?: string | number
    readonly disk?: string | number
    readonly pids?: number
  }
  readonly user?: string
  /** Default: true for a user that is not root and not a number. */
  readonly matchUserId?: boolean
  readonly workdir?: string
  /** Where the project folder appears inside; false: not mounted. Default /workspace. */
  readonly project?: string | false
  readonly lifecycle?: Readonly<Partial<Record<BlueprintStage, BlueprintCommand>>>
  /** The program whose success shows that the environment works. */
  readonly check?: string | readonly string[]
  readonly services?: Readonly<Record<string, BlueprintService>>
  /** A Compose file, whose services run beside the environment. */
  readonly compose?:
    | string
    | {
        readonly file: string
        readonly services?: readonly string[]
        readonly profiles?: readonly string[]
        readonly ports?: 'asked' | 'free'
      }
  readonly secrets?: Readonly<Record<string, BlueprintSecret>>
  /** A Docker engine of its own inside. */
  readonly docker?: boolean
  readonly security?: {
    readonly privileged?: boolean
    readonly capAdd?: readonly string[]
    readonly capDrop?: readonly string[]
    readonly securityOpt?: readonly string[]
    readonly devices?: readonly string[]
  }
  /** Provider-specific sections, by provider id, validated by that provider. */
  readonly providers?: Readonly<Record<string, unknown>>
  readonly wslConfig?: unknown
  readonly wslConfigFile?: string
  readonly wslConfigCustom?: unknown
}

export type BlueprintStage =
  | 'initialize'
  | 'onCreate'
  | 'updateContent'
  | 'postCreate'
  | 'postStart'
  | 'postAttach'

/** A string is given to a shell, a list runs without one, an object runs its commands in parallel. */
export type BlueprintCommand =
  | string
  | readonly string[]
  | Readonly<Record<string, string | readonly string[]>>

export type BlueprintBase =
  | { readonly image: string; readonly digest?: string }
  | { readonly rootfs: string; readonly sha256?: string }
  | { readonly folder: string }
  | { readonly disk: string; readonly sha256?: string }
  | {
      readonly dockerfile: string
      readonly context?: string
      readonly args?: Readonly<Record<string, string>>
      readonly target?: string
    }

export interface BlueprintPort {
  readonly container: number
  readonly host?: number
  readonly hostIp?: string
  readonly protocol?: 'tcp' | 'udp'
}

export interface BlueprintService {
  readonly command?: string | readonly string[]
  readonly image?: string
  /** Of a service with an image. */
  readonly volumes?: NonNullable<Blueprint['volumes']>
  readonly environment?: Readonly<Record<string, string | number | boolean>>
  readonly ports?: readonly (number | string | BlueprintPort)[]
  readonly depends_on?: readonly string[]
  readonly healthcheck?: {
    readonly url?: string
    readonly port?: number
    readonly command?: string | readonly string[]
    readonly interval?: string
    readonly timeout?: string
    readonly retries?: number
    readonly start_period?: string
  }
  readonly restart?: 'no' | 'on-failure' | 'always'
}

/** "env:NAME", "file:path", or an object; a command is always a list. */
export type BlueprintSecret =
  | string
  | { readonly env: string; readonly optional?: boolean }
  | { readonly file: string; readonly optional?: boolean }
  | { readonly command: readonly string[]; readonly optional?: boolean }
