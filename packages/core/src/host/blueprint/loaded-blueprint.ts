import type { Base, CommandSpec, EnvironmentSpec, ServiceSpec } from '../../spec.ts'
import type { BaseInfo } from '../../provider.ts'
import type { Blueprint, BlueprintBase } from '../../blueprint.ts'
import type { DevcontainerConfig } from './devcontainer/devcontainer-config.ts'

export type BlueprintFormat = 'native' | 'devcontainer'

/** A blueprint that was found, parsed, validated and merged with its parents. JSON-safe. */
export interface LoadedBlueprint {
  /** Absolute path of the file, or `builtin:<name>`. */
  readonly source: string
  readonly format: BlueprintFormat
  /** Absolute path of the project folder. */
  readonly project: string
  /** Folder that relative paths mean. */
  readonly directory: string
  /** With format 'native'. */
  readonly blueprint?: Blueprint
  /** With format 'devcontainer'. */
  readonly devcontainer?: DevcontainerConfig
  readonly warnings: readonly string[]
  /** Services of the blueprint's Compose file. */
  readonly compose?: readonly ServiceSpec[]
  /** A usable name for the environment when the user gives none. */
  readonly defaultName: string
  readonly preferredProvider?: string
  /** As written; the host's base store resolves it. Absent: the blueprint leaves it to the host. */
  readonly base?: string | BlueprintBase
  /** The program whose success shows that the environment works. */
  readonly check?: CommandSpec
}

/** What `toSpec` needs beyond the blueprint. */
export interface SpecInput {
  /** From `--name`; absent: `defaultName`. */
  readonly name?: string
  /** Resolved by the base store. */
  readonly base: Base
  /** Labels, user, environment and folder of the base's image, when they are known. */
  readonly baseInfo?: BaseInfo
  /** Environment variables of this machine, for `~` and `${localEnv:…}`. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly labels?: Readonly<Record<string, string>>
  /** The provider runs services that are made from images. Absent: it does. */
  readonly companions?: boolean
}

/** Least that the machine should have; what it has not is among the warnings. */
export interface HostRequirements {
  readonly cpus?: number
  readonly memoryBytes?: number
  readonly storageBytes?: number
  readonly gpu?: 'required' | 'optional'
}

export interface SpecResult {
  readonly spec: EnvironmentSpec
  readonly warnings: readonly string[]
  readonly requirements?: HostRequirements
}
