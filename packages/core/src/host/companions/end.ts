import type { HostContext } from '../context.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { companionRecords, type Owner } from './records.ts'

/** What still runs of an environment's companions: nothing goes on alone. */
export async function stopCompanions(host: HostContext, { name, provider, operation }: Owner): Promise<void> {
  const graceMs = host.config.values['stop.grace']
  await Promise.all(
    companionRecords(host, name).map((record) =>
      host.state.locks.holdWaiting(record.name, 'stop', async () => {
        host.state.records.put({ ...record, details: { ...record.details, halted: true } })
        await provider.stop(record.name, { graceMs }, operation.context)
      }),
    ),
  )
}

export interface Removal {
  readonly records: readonly EnvironmentRecord[]
  readonly volumes: boolean
}

/** One after another: of two that share a volume, the last one takes it along. What holds data is ended first, then removed. */
export async function removeCompanions(
  host: HostContext,
  { provider, operation }: Owner,
  { records, volumes }: Removal,
): Promise<void> {
  const graceMs = host.config.values['stop.grace']
  for (const record of records) {
    await host.state.locks.holdWaiting(record.name, 'destroy', async () => {
      if (!volumes && keepsData(record)) await provider.stop(record.name, { graceMs }, operation.context)
      await provider.remove(record.name, { volumes }, operation.context)
      host.state.records.remove(record.name)
    })
    operation.emit({ type: 'state', environment: record.name, status: 'absent' })
  }
}

function keepsData({ details }: EnvironmentRecord): boolean {
  return details.spec?.mounts.some(({ type }) => type !== 'tmpfs') ?? true
}
