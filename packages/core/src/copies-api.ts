import type { ErrorCode } from './errors.ts'
import type { CallOptions, EnvironmentInfo, ProviderSelection, UpResult } from './host-api.ts'
import type { EnvironmentSpec, Resources } from './spec.ts'

export interface BuildOptions extends CallOptions {
  readonly blueprint?: string
  readonly provider?: string
  readonly base?: string
  /** With a Docker engine in it, whatever the blueprint says. */
  readonly docker?: boolean
  /** Build it again, and replace the image that is there. */
  readonly noCache?: boolean
  readonly cwd?: string
}

export interface BuildResult {
  readonly image: GoldenImage
  /** 'present': it was there already, or another holm built it meanwhile. */
  readonly outcome: 'built' | 'rebuilt' | 'present'
  readonly selection: ProviderSelection
  readonly steps: UpResult['steps']
  readonly warnings: readonly string[]
}

/** A provisioned, stopped environment that `up` clones, addressed by the hash of what went into it. */
export interface GoldenImage {
  readonly name: string
  readonly hash: string
  readonly provider: string
  readonly blueprint: string
  readonly source: string
  readonly createdAt: string
  readonly usedAt: string
  /** Milliseconds that provisioning took. */
  readonly tookMs: number
  /** 'unfinished': a build was killed; the next one or `prune` removes it. */
  readonly status: 'ready' | 'building' | 'unfinished'
  /** Environments that were made from it. */
  readonly environments: readonly string[]
}

export interface PruneOptions extends CallOptions {
  /** Also those that environments were made from: they live on without it. */
  readonly all?: boolean
  /** Only those not used for this long. */
  readonly olderThanMs?: number
  /** Only say what would be removed. */
  readonly dryRun?: boolean
}

export interface PruneResult {
  readonly removed: readonly GoldenImage[]
  readonly kept: readonly GoldenImage[]
}

export interface UpdateResult {
  readonly environment: EnvironmentInfo
  /** What was installed again: 'packages', 'tools', 'scripts'. */
  readonly applied: readonly string[]
  /** Keys of the blueprint that changed and need `up --recreate`. */
  readonly pending: readonly string[]
  readonly steps: UpResult['steps']
  readonly warnings: readonly string[]
}

export interface Snapshot {
  readonly environment: string
  readonly name: string
  readonly createdAt: string
  readonly includesMemory: boolean
  /** Made by a restore, of what was there before it. */
  readonly automatic: boolean
  /** Folders of this machine whose files are part of it; undefined when they were left alone. */
  readonly files: readonly { readonly source: string; readonly sizeBytes: number }[] | undefined
  /** Of the runtime's own part, where it tells. */
  readonly sizeBytes: number | undefined
}

export interface SnapshotOptions extends CallOptions {
  readonly projectFolder?: string
  /** Absent: made from the time. */
  readonly name?: string
  /** Save what runs, too. */
  readonly memory?: boolean
  /** False: leave the files of bind mounts alone. */
  readonly files?: boolean
}

export interface RestoreResult {
  readonly environment: EnvironmentInfo
  readonly restored: Snapshot
  /** Name of the snapshot that holds what was there before. */
  readonly before: string
}

export interface CloneOptions extends CallOptions {
  /** How many; more than one are named `<name>-1` to `<name>-N`. */
  readonly count?: number
  /** Give each clone a copy of every writable bind mount, instead of the same folders. */
  readonly copyFiles?: boolean
  /** False: leave them stopped. What makes a clone a machine of its own is then done at its first start. */
  readonly start?: boolean
  /** One clone is to be what the origin was, under another name. */
  readonly successor?: Successor
  readonly projectFolder?: string
}

/**
 * What an environment becomes that takes the place of its origin: project, blueprint, ports and identity are the same. The origin is
 * stopped before, and for the caller to remove; the clone is left stopped.
 */
export interface Successor {
  /** Folders of this machine that were moved, from their old paths to their new ones: what led there leads to the new place. */
  readonly moved: Readonly<Record<string, string>>
  /** Variables of programs inside that are others now. */
  readonly env: Readonly<Record<string, string>>
}

export interface CloneResult {
  readonly name: string
  readonly environment?: EnvironmentInfo
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint?: string }
}

export interface ExportOptions extends CallOptions {
  /** Also put the files of bind mounts into it. */
  readonly withFiles?: boolean
  readonly compression?: 'none' | 'gzip' | 'zstd'
  readonly projectFolder?: string
}

/** What an archive says of itself. */
export interface ArchiveManifest {
  readonly format: 'holm-environment'
  readonly version: 1
  readonly name: string
  readonly provider: string
  readonly createdAt: string
  /** Without secrets, and without commands that run on the machine itself. */
  readonly spec: EnvironmentSpec
  readonly parts: readonly ArchivePart[]
}

export interface ArchivePart {
  /** Path within the archive. */
  readonly path: string
  readonly kind: 'rootfs' | 'volume' | 'files'
  /** Where it belongs inside; absent for the root filesystem. */
  readonly target?: string
  readonly sizeBytes: number
  readonly sha256: string
}

export interface ImportOptions extends CallOptions {
  readonly name?: string
  readonly provider?: string
  /** Folder for the files of bind mounts, which must be empty or absent. Absent: `./<name>`. */
  readonly filesFolder?: string
  readonly cwd?: string
}

export interface ImportResult {
  readonly environment: EnvironmentInfo
  readonly manifest: ArchiveManifest
  readonly warnings: readonly string[]
}

/** The part of the SDK that is about environments made from environments. */
export interface CopiesApi {
  /** Provisions a blueprint once and keeps the result as a golden image, which `up` clones. */
  build(options?: BuildOptions): Promise<BuildResult>
  readonly images: {
    list(options?: CallOptions): Promise<readonly GoldenImage[]>
    /** By name, or by the first digits of the hash. */
    show(name: string, options?: CallOptions): Promise<GoldenImage>
    remove(name: string, options?: CallOptions): Promise<GoldenImage>
    /** Removes unfinished images, and those that no environment was made from. */
    prune(options?: PruneOptions): Promise<PruneResult>
  }
  /** Installs again on top of a running environment; when the blueprint changed, only what changed. */
  update(name?: string, options?: CallOptions & { readonly projectFolder?: string }): Promise<UpdateResult>
  readonly snapshots: {
    create(environment?: string, options?: SnapshotOptions): Promise<Snapshot>
    list(
      environment?: string,
      options?: CallOptions & { readonly projectFolder?: string },
    ): Promise<readonly Snapshot[]>
    /** Puts everything back, after saving what is there now. */
    restore(
      environment: string | undefined,
      name: string,
      options?: CallOptions & { readonly files?: boolean; readonly projectFolder?: string },
    ): Promise<RestoreResult>
    remove(
      environment: string | undefined,
      name: string,
      options?: CallOptions & { readonly projectFolder?: string },
    ): Promise<{ readonly environment: string; readonly name: string }>
  }
  /** Never rejects for a single clone that failed: its result says why. */
  clone(
    environment: string | undefined,
    name: string,
    options?: CloneOptions,
  ): Promise<readonly CloneResult[]>
  /** The archive as a stream; `manifest` is called before the first bytes. */
  export(
    environment: string | undefined,
    options?: ExportOptions & { readonly onManifest?: (manifest: ArchiveManifest) => void },
  ): AsyncIterable<Uint8Array>
  import(archive: AsyncIterable<Uint8Array>, options?: ImportOptions): Promise<ImportResult>
  /** Limits that are not named stay. */
  resize(
    environment: string | undefined,
    resources: Resources,
    options?: CallOptions & { readonly projectFolder?: string },
  ): Promise<EnvironmentInfo>
}
