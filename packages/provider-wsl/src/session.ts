import { HolmError } from '@holm/core'
import type { EnvironmentState, ProviderContext } from '@holm/core'
import { distributionName } from './argv.ts'
import { createMachine, type Machine, type WslOptions } from './machine.ts'
import { notFound, notRunning, withLock } from './lock.ts'
import { folderOf, loadRecord, resolveLayout, type Holder, type Layout, type WslRecord } from './record.ts'
import { isHeld, stateOf, type Seen } from './state.ts'
import { listDistributions } from './wsl.ts'

/** What all methods of one provider work with. */
export interface Session {
  readonly options: WslOptions
  readonly machine: Machine
  distribution(name: string): string
  layout(ctx: ProviderContext): Promise<Layout>
  folder(name: string, ctx: ProviderContext): Promise<string>
  find(name: string, ctx: ProviderContext): Promise<WslRecord | undefined>
  /** HOLM_ENVIRONMENT_NOT_FOUND. */
  require(name: string, ctx: ProviderContext): Promise<WslRecord>
  /** HOLM_ENVIRONMENT_NOT_RUNNING. */
  requireRunning(name: string, ctx: ProviderContext): Promise<WslRecord & { readonly holder: Holder }>
  look(ctx: ProviderContext): Promise<Seen>
  state(record: WslRecord, ctx: ProviderContext): Promise<EnvironmentState>
  /** The state right after holm brought it there itself; WSL need not be asked. */
  stateWhen(record: WslRecord, status: 'stopped' | 'running'): EnvironmentState
  lock<T>(name: string, ctx: ProviderContext, action: () => Promise<T>): Promise<T>
}

export function createSession(options: WslOptions): Session {
  const machine = createMachine(options)
  const session: Session = {
    options,
    machine,
    distribution: (name) => distributionName(options.namespace, name),
    layout: async (ctx) => resolveLayout(await machine.folder(ctx)),
    folder: async (name, ctx) => folderOf(await session.layout(ctx), name),
    find: async (name, ctx) => loadRecord(await session.folder(name, ctx)),
    require: async (name, ctx) => {
      const record = await session.find(name, ctx)
      if (record === undefined) throw notFound(name)
      return record
    },
    requireRunning: async (name, ctx) => {
      const record = await session.require(name, ctx)
      // Its wsl.exe ends with the distribution: WSL itself need not be asked.
      if (record.status === 'ready' && isHeld(record, machine.side)) return record
      throw notRunning(name, (await session.state(record, ctx)).reason)
    },
    look: async (ctx) => ({
      namespace: options.namespace,
      side: machine.side,
      distributions: await listDistributions(machine, ctx),
    }),
    state: async (record, ctx) => stateOf(record, await session.look(ctx)),
    stateWhen: (record, status) => {
      const all = new Set([session.distribution(record.name)])
      const running = status === 'running' ? all : new Set<string>()
      return stateOf(record, {
        namespace: options.namespace,
        side: machine.side,
        distributions: { all, running },
      })
    },
    lock: async (name, ctx, action) =>
      withLock({ folder: await session.folder(name, ctx), name, side: machine.side }, action),
  }
  return session
}

/** Made ready and not being restored; otherwise HOLM_ENVIRONMENT_BUSY or HOLM_ENVIRONMENT_FAILED with what to do. */
export function assertReady(record: WslRecord, state: EnvironmentState): void {
  if (record.status === 'ready' && state.status !== 'failed') return
  const busy = state.status === 'creating'
  const reason = busy ? 'another holm process is working on it' : (state.reason ?? 'it was not finished')
  throw new HolmError(
    busy ? 'HOLM_ENVIRONMENT_BUSY' : 'HOLM_ENVIRONMENT_FAILED',
    `environment ${record.name}: ${reason}`,
    {
      hint: busy ? 'Wait until it has finished.' : `Run \`holm destroy ${record.name}\` and create it again.`,
    },
  )
}
