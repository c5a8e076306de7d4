import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { RenameOptions } from '../api.ts'
import { destroyIfThere, environmentOf, findRecord, type WorkspaceContext } from '../context.ts'
import type { WorkspaceRecord } from '../record.ts'
import { moveBranch, moveWorktree, renamedRecord } from './places.ts'
import { assertMayLose, assertNames, lostWith, planRename } from './plan.ts'

interface Renaming {
  readonly record: WorkspaceRecord
  /** As it will be. */
  readonly next: WorkspaceRecord
}

/**
 * Branch, worktree, environment, then the record: what fails undoes what went before it. The record tells of it from the first step
 * on, so that what a killed holm leaves is gone on with or undone by the next that looks (see `settle`). It is left stopped.
 */
export async function renameWorkspace(
  context: WorkspaceContext,
  names: { readonly name: string; readonly to: string },
  options: RenameOptions,
): Promise<void> {
  const { records } = context
  const { name, to } = names
  assertNames(context, names)
  await records.hold(name, 'rename', () =>
    records.hold(to, 'rename', async () => {
      const record = await settle(context, findRecord(records, name))
      if (record.name !== to) await renameHeld(context, findRecord(records, name), { ...options, to })
    }),
  )
}

async function renameHeld(
  context: WorkspaceContext,
  record: WorkspaceRecord,
  options: RenameOptions & { readonly to: string },
): Promise<void> {
  const { records, git, host } = context
  const plan = await planRename(context, record, options)
  assertMayLose(plan, options)
  const renaming = { record, next: renamedRecord(record, plan.to) }
  const { end = () => host.stop(record.name, options) } = options
  if (plan.stops) await end()
  if (options.signal) assertNotAborted(options.signal)
  records.put(record.name, { ...record, renaming: plan.to })
  try {
    await moveBranch(git, record, renaming.next)
    await moveWorktree(git, record, renaming.next)
    await copyEnvironment(context, renaming, options)
    if (options.signal) assertNotAborted(options.signal)
  } catch (error) {
    await undo(context, renaming)
    throw error
  }
  await finish(context, renaming)
}

/** Under its new name, with everything that is in it; one that cannot be copied is made anew when it starts. */
async function copyEnvironment(
  { host }: WorkspaceContext,
  { record, next }: Renaming,
  options: RenameOptions,
): Promise<void> {
  const environment = await environmentOf(host, record.name, options)
  if (environment === undefined || record.synced !== undefined) return
  const folder = realpathSync(dirname(next.path))
  const successor = {
    moved: { [record.path]: next.path, [join(folder, record.name)]: join(folder, next.name) },
    env: { HOLM_WORKSPACE: next.name },
  }
  try {
    const [result] = await host.clone(record.name, next.name, { ...options, successor })
    if (result?.error === undefined) return
    const { code, message, hint } = result.error
    throw new HolmError(code, message, hint === undefined ? {} : { hint })
  } catch (error) {
    if (!isHolmError(error, 'HOLM_FACET_UNSUPPORTED')) throw error
    assertMayLose({ name: record.name, lost: [lostWith(environment.provider)] }, options)
  }
}

/** From here on it has the new name. Can be repeated. */
async function finish({ host, records }: WorkspaceContext, { record, next }: Renaming): Promise<void> {
  if (host.idle.uses(record.name) !== undefined) host.idle.watch(next.name)
  await destroyIfThere(host, record.name)
  records.put(next.name, next)
  records.remove(record.name)
}

async function undo(context: WorkspaceContext, renaming: Renaming): Promise<void> {
  const { name } = renaming.record
  try {
    await goBack(context, renaming)
  } catch (error) {
    context.log.warn(
      `${name} is left half-renamed, which holm workspace rename ${name} ${renaming.next.name} goes on with: ${(error as Error).message}`,
    )
  }
}

/** Can be repeated, and does nothing for steps that were not done. */
async function goBack(context: WorkspaceContext, { record, next }: Renaming): Promise<void> {
  const { host, git, records } = context
  if ((await environmentOf(host, next.name, {}))?.project === next.path) await host.destroy(next.name)
  await moveWorktree(git, next, record)
  await moveBranch(git, next, record)
  const { renaming: _renaming, ...rest } = record
  records.put(record.name, rest)
}

/** The workspace as it is once an interrupted rename is through or undone; held by the caller. */
export async function settle(context: WorkspaceContext, record: WorkspaceRecord): Promise<WorkspaceRecord> {
  if (record.renaming === undefined) return record
  const { records, host, log } = context
  const { name } = record
  const next = renamedRecord(record, record.renaming)
  const isThere = records.get(next.name)?.path === next.path
  if (isThere) records.remove(name)
  else if (isCopied(await environmentOf(host, next.name, {}), next)) await finish(context, { record, next })
  else {
    log.warn(`undoing an interrupted rename of ${name} to ${next.name}`)
    await goBack(context, { record, next })
    return findRecord(records, name)
  }
  log.warn(`finished an interrupted rename: ${name} is ${next.name} now`)
  return next
}

function isCopied(environment: Awaited<ReturnType<typeof environmentOf>>, next: WorkspaceRecord): boolean {
  if (environment?.project !== next.path) return false
  return environment.status !== 'creating' && environment.status !== 'failed'
}
