import { HolmError } from './errors.ts'
import type { Base, EnvironmentSpec, Resources } from './spec.ts'
import type { BaseInfo, EnvironmentState, PortBinding, Provider, ProviderContext } from './provider.ts'

/**
 * Optional method groups. The presence of a group on the provider *is* the capability: no flags, no methods that throw
 * "not implemented". Every method follows the rules of `Provider`: idempotent, JSON-safe, HOLM_ENVIRONMENT_NOT_FOUND for unknown names.
 */
export interface Facets {
  readonly logs: LogsFacet
  readonly ports: PortsFacet
  readonly files: FilesFacet
  readonly metrics: MetricsFacet
  readonly pause: PauseFacet
  readonly images: ImagesFacet
  readonly build: BuildFacet
  readonly snapshots: SnapshotsFacet
  readonly checkpoints: CheckpointsFacet
  readonly clone: CloneFacet
  readonly export: ExportFacet
  readonly resize: ResizeFacet
}

export type FacetName = keyof Facets

/** Facet to its meaning; docs/reference/facets.md is generated from it. The `satisfies` makes a new facet appear here. */
export const facetTable = {
  logs: 'Read what the environment wrote: its main process, and what was started in the background.',
  ports: 'Tell which ports of this machine lead inside.',
  files: 'Copy files in and out as tar streams, also while it is stopped.',
  metrics: 'Measure CPU, memory and processes now.',
  pause: 'Freeze and thaw all processes, memory kept.',
  images: 'Look at, fetch and remove the bases the runtime holds.',
  build: 'Build a base from a Dockerfile.',
  snapshots: 'Save and restore the file system of an environment.',
  checkpoints: 'Save the running state too, memory included.',
  clone: 'Make a new environment from the files of an existing one.',
  export: 'Read the root filesystem as one portable tar.',
  resize: 'Change the limits of an existing environment.',
} as const satisfies Record<FacetName, string>

export const facetNames: readonly FacetName[] = Object.keys(facetTable) as FacetName[]

export interface LogChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
}

export interface LogsOptions {
  /** Keep going until the environment stops or the signal fires. */
  readonly follow: boolean
  /** Last N lines only; 0: nothing of the past; absent: all. */
  readonly tail?: number
}

export interface LogsFacet {
  /** Also of a stopped environment. */
  read(name: string, options: LogsOptions, ctx: ProviderContext): AsyncIterable<LogChunk>
}

export interface PortsFacet {
  /** Empty for a stopped environment. */
  list(name: string, ctx: ProviderContext): Promise<readonly PortBinding[]>
}

export interface FilesFacet {
  /** Unpacks a tar stream into `path`, which must exist. Owners and modes as in the archive. */
  put(
    name: string,
    entry: { readonly path: string; readonly tar: AsyncIterable<Uint8Array> },
    ctx: ProviderContext,
  ): Promise<void>
  /** A tar stream of the file or folder; its top entry is the last component of `path`. HOLM_USAGE when there is none. */
  get(name: string, path: string, ctx: ProviderContext): AsyncIterable<Uint8Array>
}

/** One measurement, over an interval of at least 100 ms (never "since boot"). */
export interface MetricsSample {
  /** Percent of one core: 250 = two and a half cores busy. */
  readonly cpuPercent: number
  readonly memoryBytes: number
  /** Absent: no limit. */
  readonly memoryLimitBytes?: number
  readonly processes: number
}

export interface MetricsFacet {
  sample(name: string, ctx: ProviderContext): Promise<MetricsSample>
}

export interface PauseFacet {
  /** Both can be repeated. One that neither runs nor is paused is HOLM_ENVIRONMENT_NOT_RUNNING. */
  pause(name: string, ctx: ProviderContext): Promise<EnvironmentState>
  resume(name: string, ctx: ProviderContext): Promise<EnvironmentState>
}

export interface ImagesFacet {
  /** Undefined when the runtime does not hold it. Never fetches. */
  inspect(base: Base, ctx: ProviderContext): Promise<BaseInfo | undefined>
  /** Fetches or imports it unless it is there. HOLM_IMAGE_MISSING with the reason when it cannot. */
  prepare(base: Base, ctx: ProviderContext): Promise<BaseInfo>
  remove(base: Base, ctx: ProviderContext): Promise<void>
}

export interface BuildFacet {
  /** Builds; an unchanged context is a fast no-op through the runtime's cache. HOLM_COMMAND_FAILED with the last lines. */
  build(base: Extract<Base, { kind: 'build' }>, ctx: ProviderContext): Promise<BaseInfo>
}

export interface SnapshotInfo {
  readonly name: string
  readonly environment: string
  readonly createdAt: string
  readonly sizeBytes?: number
  readonly includesMemory: boolean
}

export interface SnapshotsFacet {
  /** Of a running or a stopped environment; one that runs goes on. A name that exists is HOLM_ENVIRONMENT_CONFLICT. */
  create(name: string, snapshot: string, ctx: ProviderContext): Promise<SnapshotInfo>
  list(name: string, ctx: ProviderContext): Promise<readonly SnapshotInfo[]>
  /**
   * Puts the files back as they were; the environment keeps its name. A snapshot with memory is left running where it
   * was, any other is left stopped. One that does not exist is HOLM_USAGE.
   */
  restore(name: string, snapshot: string, ctx: ProviderContext): Promise<EnvironmentState>
  remove(name: string, snapshot: string, ctx: ProviderContext): Promise<void>
}

/** Save the running state, memory included; listed, restored and removed through `snapshots`, with which it shares its names. */
export interface CheckpointsFacet {
  /**
   * The environment goes on running. One that does not run is HOLM_ENVIRONMENT_NOT_RUNNING, a name that exists is
   * HOLM_ENVIRONMENT_CONFLICT.
   */
  create(name: string, snapshot: string, ctx: ProviderContext): Promise<SnapshotInfo>
}

export interface CloneFacet {
  /**
   * Copy-on-write where the storage can. Only the files come from the origin, without what lies in its mounts; everything
   * else (labels, hostname, env, user, mounts, ports, limits, network, options) is as `spec` says. A new MAC address and
   * cloud-init instance-id are the provider's to give; machine-id and SSH host keys are renewed by the host through `exec`.
   * The origin may run or be stopped, is unchanged, and may be removed before the clone. N clones of one origin in
   * parallel work. A name that is taken follows the rules of `create`, as does what a failure leaves. Returns it stopped.
   */
  clone(name: string, spec: EnvironmentSpec, ctx: ProviderContext): Promise<EnvironmentState>
}

export interface ExportFacet {
  /**
   * The root filesystem as one portable tar: numeric owners, modes, links, no contents of mounts, nothing in /proc, /sys
   * and /dev. Running or stopped. `create` makes an environment from it, given as a base of kind `rootfs`. One whose base is this
   * machine itself (`host`) has no filesystem of its own: HOLM_BLUEPRINT_UNSUPPORTED.
   */
  rootfs(name: string, ctx: ProviderContext): AsyncIterable<Uint8Array>
}

export interface ResizeFacet {
  /**
   * New limits for an existing environment; those absent stay. They hold at once for what runs, and from now on. Returns
   * the state with what is applied. A runtime that needs it stopped throws HOLM_ENVIRONMENT_RUNNING; a limit that this
   * runtime or machine cannot change (or a disk that would get smaller) is HOLM_BLUEPRINT_UNSUPPORTED, and then none is changed.
   */
  resize(name: string, resources: Resources, ctx: ProviderContext): Promise<EnvironmentState>
}

/** The facet, or HOLM_FACET_UNSUPPORTED naming the providers that have it. */
export function requireFacet<F extends FacetName>(
  provider: Provider,
  facet: F,
  alternatives: readonly string[] = [],
): Facets[F] {
  const found = provider[facet]
  if (found) return found as Facets[F]
  throw new HolmError('HOLM_FACET_UNSUPPORTED', `provider ${provider.id} has no ${facet}`, {
    hint:
      alternatives.length > 0
        ? `Use a provider that has it: ${alternatives.join(', ')}.`
        : `No installed provider has ${facet}.`,
    details: { provider: provider.id, facet, alternatives },
  })
}
