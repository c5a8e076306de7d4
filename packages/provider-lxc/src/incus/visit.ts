import type { ProviderContext } from '@holm/core'
import { makerTag } from '../maker.ts'
import { changeState, haltInstance } from './lifecycle.ts'
import { key } from './names.ts'
import { parseRecord, type Instance } from './record.ts'
import { pathOf, type IncusSession } from './session.ts'
import { configure, describe } from './start.ts'
import { statusOf } from './state.ts'

/**
 * Lets `work` run programs in an environment. One that is stopped is started for that time, without its network, ports and main process,
 * and is stopped for everybody else: a mark says so, also when holm is killed in between.
 */
export async function visit<T>(
  session: IncusSession,
  name: string,
  { ctx, work }: { readonly ctx: ProviderContext; readonly work: (instance: Instance) => Promise<T> },
): Promise<T> {
  const now = await session.require(name, ctx)
  if (statusOf(now) === 'running') return work(now)
  return session.locked(name, ctx, async () => {
    const instance = await session.require(name, ctx)
    const status = statusOf(instance)
    if (status === 'running' || status === 'paused') return work(await session.requireRunning(name, ctx))
    if (instance.status !== 'Stopped') await haltInstance(session, instance, 0)
    try {
      await open(session, instance)
      return await work(await session.require(name, ctx))
    } finally {
      await close(session, name)
    }
  })
}

async function open(session: IncusSession, instance: Instance): Promise<void> {
  const record = parseRecord(instance)
  const mark = { [key.visit]: makerTag() }
  const quiet = {
    ...record,
    main: 'hold' as const,
    bindings: [],
    network: record.network === 'host' ? 'none' : record.network,
  }
  for (const ids of [record.ids, 'same'] as const) {
    const extra = { ...mark, [key.record]: JSON.stringify({ ...record, ids }) }
    const input = describe(session, { instance, record: { ...quiet, ids } })
    await configure(session, instance, { ...input, extra })
    try {
      return await changeState(session, instance.name, { action: 'start' })
    } catch (error) {
      if (
        record.ids !== 'mapped' ||
        ids === 'same' ||
        !/idmap|shift/i.test(error instanceof Error ? error.message : '')
      )
        throw error
    }
  }
}

/** A later start writes the whole description again; only the mark has to go. */
async function close(session: IncusSession, name: string): Promise<void> {
  const instance = session.instance(name)
  await changeState(session, instance, { action: 'stop', force: true })
  await session
    .client()
    .change(
      { method: 'PATCH', path: pathOf(instance), body: { config: { [key.visit]: '' } } },
      { action: `leave ${name}` },
    )
}
