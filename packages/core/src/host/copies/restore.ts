import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { requireFacet } from '../../facets.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { HostContext } from '../context.ts'
import type { Operation } from '../operation.ts'
import type { RestoreJournal, SavedMount, Swap } from '../state/index.ts'
import { planSwaps, removeStage, runSwap, stageSwap } from './files.ts'

export interface RestoreWork {
  readonly host: HostContext
  readonly operation: Operation
  readonly environment: string
  readonly provider: string
  readonly snapshot: string
  /** Folder of the archives. */
  readonly folder: string
  readonly mounts: readonly SavedMount[]
}

/**
 * Unpacks beside the content, stops the environment, then swaps by renames. A journal says how far it is: what is
 * interrupted before the swap is taken away, what is interrupted after its begin is brought to its end by the next command.
 */
export async function restoreAll(work: RestoreWork): Promise<EnvironmentState> {
  const { host, operation, environment, provider: id, snapshot, mounts, folder } = work
  const provider = await host.provider(id)
  const planned = planSwaps(mounts)
  const journal: RestoreJournal = { environment, provider: id, snapshot, phase: 'staging', swaps: [] }
  host.state.journals.put(environment, {
    ...journal,
    swaps: planned.map((swap) => ({ ...swap, before: [] })),
  })
  const swaps: Swap[] = []
  try {
    for (const [index, { archive, source, kind }] of mounts.entries()) {
      const swap = planned[index]
      if (swap === undefined) continue
      if (kind === 'folder') await mkdir(source, { recursive: true })
      swaps.push(await stageSwap({ host, operation }, swap, { archive: join(folder, archive), source }))
    }
    const options = { graceMs: host.config.values['stop.grace'] }
    await operation.step('stop', () => provider.stop(environment, options, operation.context))
  } catch (error) {
    for (const swap of planned) await removeStage(swap)
    host.state.journals.remove(environment)
    throw error
  }
  const ready: RestoreJournal = { ...journal, phase: 'swapping', swaps }
  host.state.journals.put(environment, ready)
  return operation.step('restore', () => finishRestore(host, ready, operation))
}

/** Can be begun again from any point. */
async function finishRestore(
  host: HostContext,
  { environment, provider: id, snapshot, swaps }: RestoreJournal,
  operation: Operation,
): Promise<EnvironmentState> {
  for (const swap of swaps) await runSwap(swap)
  const provider = await host.provider(id)
  const state = await requireFacet(provider, 'snapshots').restore(environment, snapshot, operation.context)
  for (const swap of swaps) await removeStage(swap)
  host.state.journals.remove(environment)
  return state
}

/** Ends what holms that were killed have begun; those that live are left alone. */
export async function healRestores(host: HostContext): Promise<void> {
  for (const journal of host.state.journals.list()) {
    const { environment, phase } = journal
    if (host.state.locks.holder(environment)) continue
    const operation = host.operation(environment, {})
    try {
      await host.state.locks.hold(environment, 'ending an interrupted restore', async () => {
        if (phase === 'swapping') await finishRestore(host, journal, operation)
        else {
          for (const swap of journal.swaps) await removeStage(swap)
          host.state.journals.remove(environment)
        }
      })
      const what = phase === 'swapping' ? 'brought to its end' : 'taken back'
      operation.warn(`an interrupted restore of ${environment} to ${journal.snapshot} was ${what}`)
    } catch (error) {
      operation.warn(
        `an interrupted restore of ${environment} could not be ended: ${(error as Error).message}`,
        `Run it again: holm snapshot restore ${environment} ${journal.snapshot}`,
      )
    }
  }
}
