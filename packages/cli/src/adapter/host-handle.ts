import type { CommandDefinition, HolmEvent, HostApi } from '@holm/core'
import type { CommandTable } from '../builtin.ts'
import { builtins } from '../commands/index.ts'
import type { OpenHost } from '../host.ts'

/** The host of one run, opened at first use and never twice. */
export interface HostHandle {
  open(): Promise<HostApi>
  /** Built-in commands and those of plugins, from manifests. A host that cannot be opened adds none, and says why. */
  listTables(): Promise<readonly CommandTable[]>
  load(id: string): Promise<CommandDefinition>
  close(): Promise<void>
}

export interface HostHandleOptions {
  readonly openHost: OpenHost
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onEvent: (event: HolmEvent) => void
}

export function createHostHandle({ openHost, cwd, env, onEvent }: HostHandleOptions): HostHandle {
  let opened: Promise<HostApi> | undefined
  const open = (): Promise<HostApi> => (opened ??= openHost({ cwd, env, onEvent }))
  return {
    open,
    async listTables() {
      try {
        const host = await open()
        const known = new Set(builtins.map(({ id }) => id))
        const added = (await host.commands.list()).filter(({ id }) => !known.has(id))
        return [...builtins, ...added]
      } catch (error) {
        onEvent({ type: 'warning', message: `commands of plugins are not shown: ${describe(error)}` })
        return builtins
      }
    },
    async load(id) {
      const host = await open()
      return host.commands.load(id)
    },
    async close() {
      // A host that could not be opened has been reported where it was asked for.
      const host = await opened?.catch(() => undefined)
      await host?.close()
    },
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
