import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  CommandDefinition,
  Dispose,
  HookName,
  PluginApi,
  PluginDefinition,
  PluginKind,
  PluginKinds,
} from '@holm/core'
import { createTestContext } from '../context.ts'
import { createPluginRecords } from '../plugin-records.ts'

export interface PluginRecord {
  readonly provided: readonly {
    readonly kind: PluginKind
    readonly id: string
    readonly factory: () => PluginKinds[PluginKind]
  }[]
  readonly hooks: HookName[]
  readonly commands: CommandDefinition[]
  readonly methods: string[]
  dispose(): Promise<void>
}

export type RecordOptions = Partial<Pick<PluginApi, 'config' | 'env' | 'platform' | 'paths' | 'namespace'>>

/** Runs a plugin's `setup` against an api that only remembers. */
export async function recordPlugin(
  plugin: PluginDefinition,
  options: RecordOptions = {},
): Promise<PluginRecord> {
  const provided: { kind: PluginKind; id: string; factory: () => PluginKinds[PluginKind] }[] = []
  const hooks: HookName[] = []
  const commands: CommandDefinition[] = []
  const methods: string[] = []
  const disposals: (() => void | Promise<void>)[] = []
  const nowhere = join(tmpdir(), 'holm-testkit-nowhere')
  const api: PluginApi = {
    name: plugin.name,
    config: {},
    env: {},
    platform: process.platform,
    paths: { data: join(nowhere, 'data'), cache: join(nowhere, 'cache') },
    namespace: 'testkit',
    log: createTestContext().log,
    note: () => undefined,
    runner: createTestContext().runner,
    records: createPluginRecords,
    ...options,
    provide: (kind, id, factory) => remember(provided, { kind, id, factory }),
    hook: (name) => remember(hooks, name),
    command: (definition) => remember(commands, definition),
    method: (name) => remember(methods, name),
    onDispose: (dispose) => void disposals.push(dispose),
  }
  await plugin.setup(api)
  return {
    provided,
    hooks,
    commands,
    methods,
    dispose: async () => {
      for (const dispose of disposals.reverse()) await dispose()
    },
  }
}

function remember<T>(list: T[], item: T): Dispose {
  list.push(item)
  return () => void list.splice(list.indexOf(item), 1)
}
