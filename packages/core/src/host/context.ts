import type { HolmEvent } from '../events.ts'
import type { CallOptions } from '../host-api.ts'
import type { Provider } from '../provider.ts'
import type { Runner } from '../process.ts'
import type { BaseStore } from './base/index.ts'
import type { Config } from './config/load.ts'
import type { HolmPaths } from './config/paths.ts'
import type { Hooks } from './hooks.ts'
import type { Operation } from './operation.ts'
import type { Registry } from './plugins/registry.ts'
import type { State } from './state/index.ts'

/** What the parts of one host share. Made by `createHost`; everything costly in it is made at first use. */
export interface HostContext {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly paths: HolmPaths
  readonly namespace: string
  /** package.json paths of the plugins that come with the program. */
  readonly bundled: readonly string[]
  readonly config: Config
  readonly runner: Runner
  readonly hooks: Hooks
  readonly registry: Registry
  readonly bases: BaseStore
  /** Opened at first use. */
  readonly state: State
  /** After an error that tells of damage: looks through the file, and sets it aside when it is damaged. */
  reopenState(): void
  publish(event: HolmEvent): void
  operation(environment: string, call: CallOptions): Operation
  /** Loads the plugin at first use; HOLM_PLUGIN_NOT_FOUND for an unknown id. */
  provider(id: string): Promise<Provider>
}
