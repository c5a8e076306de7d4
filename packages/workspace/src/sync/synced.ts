import { existsSync, renameSync } from 'node:fs'
import { HolmError, isHolmError } from '@holm/core'
import type { CallOptions, EnvironmentInfo, HostApi, PluginApi, Served } from '@holm/core'
import type { WorkspaceConfig } from '../options.ts'
import type { WorkspaceRecord } from '../record.ts'
import type { OwnWorkspaces } from '../workspaces.ts'
import type { Outcome } from './engine.ts'
import { discard } from './remote.ts'
import { openSession, syncPlaces, type SyncRequest } from './session.ts'
import type { SyncPlaces } from './state.ts'
import { targetOf } from './target.ts'

type Api = PluginApi<WorkspaceConfig>

/** Brings the worktree into a new environment, before its lifecycle commands look for it. */
export async function fillWorkspace(api: Api, served: Served): Promise<void> {
  const { environment, signal } = served
  const record = api.records<WorkspaceRecord>('workspace').get(environment.name)
  if (record?.synced === undefined) return
  await served.step('files', async () => {
    const target = targetOf(environment, record)
    const exec: Parameters<typeof openSession>[1]['exec'] = (request) => served.exec(request)
    const session = await openSession(api, { exec }, { target, signal })
    try {
      await session.run({ direction: 'to', signal })
    } finally {
      session.close()
    }
  })
}

/**
 * What looks at the work of a workspace, or ends it, first brings back what was done inside. For one with a mount there is nothing
 * to do.
 */
export function withBringBack(api: Api, host: HostApi, workspaces: OwnWorkspaces): OwnWorkspaces {
  const bring = (name: string, options: BringOptions): Promise<void> =>
    bringBack({ api, host, workspaces }, name, options)
  return {
    ...workspaces,
    async diff(name, options = {}) {
      await bring(name, { ...options, mayFail: true })
      return workspaces.diff(name, options)
    },
    async merge(name, options = {}) {
      await bring(name, options)
      return workspaces.merge(name, options)
    },
    async unsaved(name) {
      await bring(name, { mayFail: true })
      return workspaces.unsaved(name)
    },
    async delete(name, options = {}) {
      await bring(name, { ...options, mayFail: options.force === true })
      const removed = await workspaces.delete(name, options)
      const { folder, mirror } = syncPlaces(api, name)
      // Copies that were kept stay: they are nowhere else.
      for (const gone of [mirror, `${folder}/state.json`]) discard(gone)
      return removed
    },
    async rename(name, to, options = {}) {
      await bring(name, options)
      const renamed = await workspaces.rename(name, to, options)
      moveKept(syncPlaces(api, name), syncPlaces(api, to))
      return renamed
    },
  }
}

/** Copies that were kept go with the name; what both sides agreed on was about another environment. */
function moveKept(from: SyncPlaces, to: SyncPlaces): void {
  for (const gone of [from.mirror, `${from.folder}/state.json`]) discard(gone)
  if (existsSync(from.folder) && !existsSync(to.folder)) renameSync(from.folder, to.folder)
}

interface BringOptions extends CallOptions {
  /** Say what is missing, and go on. */
  readonly mayFail?: boolean
}

interface Opened {
  readonly api: Api
  readonly host: HostApi
  readonly workspaces: OwnWorkspaces
}

async function bringBack(opened: Opened, name: string, options: BringOptions): Promise<void> {
  const { api, host, workspaces } = opened
  const record = workspaces.records().find((each) => each.name === name)
  if (record?.synced === undefined || record.phase !== 'ready') return
  try {
    const environment = await runningOf(host, name, options)
    if (environment === undefined) return
    const outcome = await bothWays(opened, { environment, record, options })
    for (const path of outcome.kept) api.log.warn(`a copy of what was overwritten is ${path}`)
    assertAgreed(name, outcome)
  } catch (error) {
    if (!isHolmError(error) || options.mayFail !== true || options.signal?.aborted === true) throw error
    api.log.warn(`what was done inside ${name} may be missing: ${error.message}`)
  }
}

/** A stopped one is started: its files are nowhere else. Undefined for one that is gone. */
async function runningOf(
  host: HostApi,
  name: string,
  { signal, mayFail }: BringOptions,
): Promise<EnvironmentInfo | undefined> {
  const call = signal === undefined ? {} : { signal }
  try {
    const environment = await host.status(name, call)
    if (environment.status === 'absent') return undefined
    return environment.status === 'running' || mayFail === true ? environment : await host.start(name, call)
  } catch (error) {
    if (isHolmError(error, 'HOLM_ENVIRONMENT_NOT_FOUND')) return undefined
    throw error
  }
}

async function bothWays(
  { api, host }: Opened,
  {
    environment,
    record,
    options,
  }: {
    readonly environment: EnvironmentInfo
    readonly record: WorkspaceRecord
    readonly options: BringOptions
  },
): Promise<Outcome> {
  const signal = options.signal ?? new AbortController().signal
  const request: SyncRequest = { direction: 'both', signal }
  const session = await openSession(api, host, { target: targetOf(environment, record), signal })
  try {
    return await session.run(request)
  } finally {
    session.close()
  }
}

function assertAgreed(name: string, { conflicts }: Outcome): void {
  if (conflicts.length === 0) return
  const paths = conflicts.map(({ path }) => path)
  throw new HolmError('HOLM_SYNC_CONFLICT', `both sides of ${name} changed ${paths.join(', ')}`, {
    hint: `Take one side, then go on: holm sync ${name} PATH for the worktree's, holm sync-back ${name} PATH for the environment's.`,
    details: { name, paths },
  })
}
