import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError, isHolmError } from '@holm/core'
import type { EnvironmentInfo, HostApi, PluginApi } from '@holm/core'
import type { RenameOptions, WorkspaceInfo, Workspaces } from '../api.ts'
import type { WorkspaceConfig } from '../options.ts'
import type { WorkspaceRecord } from '../record.ts'
import type { Exec } from '../services/inside.ts'
import { loadLifecycle, type Lifecycle, type Stage } from './file.ts'
import { runStage } from './run.ts'

type Api = PluginApi<WorkspaceConfig>

interface Entered {
  readonly environment: EnvironmentInfo
  readonly exec: Exec
  readonly signal: AbortSignal
}

/** Which start of which environment had its commands already. */
interface StartRecord {
  readonly startedAt: string
}

/** Runs a stage for the environment of a workspace whose worktree has a lifecycle file; nothing for any other. */
async function run(
  api: Api,
  { environment, exec, signal }: Entered,
  ...wanted: readonly Stage[]
): Promise<void> {
  const lifecycle = lifecycleOf(api, environment.name)
  if (lifecycle === undefined) return
  const options = {
    workspace: environment.name,
    exec,
    log: api.log,
    logs: logsOf(api),
    signal,
  }
  for (const stage of wanted) await runStage(lifecycle, stage, options)
}

function logsOf({ paths }: Api): string {
  return join(paths.data, 'lifecycle')
}

function lifecycleOf(api: Api, name: string): Lifecycle | undefined {
  const record = api.records<WorkspaceRecord>('workspace').get(name)
  return record && loadLifecycle(record.path)
}

/** Also where the file is broken: that is told when it is run. */
function mayHaveLifecycle(api: Api, name: string): boolean {
  try {
    return lifecycleOf(api, name) !== undefined
  } catch {
    return true
  }
}

/** Around the services of an environment: before the first and after the last of its start. */
export async function aroundStart(api: Api, served: Entered, services: () => Promise<void>): Promise<void> {
  const { name, startedAt } = served.environment
  const isNew = startsAnew(api, name, startedAt)
  if (isNew) await run(api, served, 'pre-start')
  await services()
  if (!isNew) return
  await run(api, served, 'post-start')
  noteStart(api, name, startedAt)
}

/** And of its stop, which nothing in the worktree may keep from happening: neither its file nor what that starts. */
export async function aroundStop(api: Api, served: Entered, services: () => Promise<void>): Promise<void> {
  await runUnlessBroken(api, served, 'pre-stop')
  await services()
  await runUnlessBroken(api, served, 'post-stop')
}

async function runUnlessBroken(api: Api, served: Entered, stage: Stage): Promise<void> {
  try {
    await run(api, served, stage)
  } catch (error) {
    if (served.signal.aborted) throw error
    api.log.warn(`${stage} of ${served.environment.name} is left out: ${(error as Error).message}`)
  }
}

/** An `up` of what runs is no start. */
function startsAnew(api: Api, name: string, startedAt: string | undefined): boolean {
  return startedAt === undefined || api.records<StartRecord>('start').get(name)?.startedAt !== startedAt
}

function noteStart(api: Api, name: string, startedAt: string | undefined): void {
  if (startedAt === undefined || !mayHaveLifecycle(api, name)) return
  api.records<StartRecord>('start').put(name, { startedAt })
}

/** Of a workspace that is gone nothing is known. */
function forget(api: Api, name: string): void {
  if (api.records<WorkspaceRecord>('workspace').get(name) !== undefined) return
  api.records<StartRecord>('start').remove(name)
  rmSync(join(logsOf(api), `${name}.log`), { force: true })
}

interface Around {
  readonly api: Api
  readonly workspaces: Workspaces
  readonly restart: Workspaces['start']
  readonly end: Workspaces['stop']
}

/** What runs is ended as by a stop, and runs again afterwards, under either name. */
async function renameAround(
  { api, workspaces, restart, end }: Around,
  { name, to }: { readonly name: string; readonly to: string },
  options: RenameOptions,
): Promise<WorkspaceInfo> {
  let ended = false
  const endOnce = (): Promise<WorkspaceInfo> => {
    ended = true
    return end(name, options)
  }
  try {
    await workspaces.rename(name, to, { ...options, end: endOnce })
  } catch (error) {
    if (ended)
      await restart(name).catch((cause: Error) => api.log.warn(`${name} is stopped: ${cause.message}`))
    throw error
  }
  moveLog(api, name, to)
  if (!ended) return workspaces.show(to)
  return restart(to, options).catch((error: unknown) => {
    throw notStarted({ name, to }, error)
  })
}

function moveLog(api: Api, name: string, to: string): void {
  const path = join(logsOf(api), `${name}.log`)
  if (existsSync(path)) renameSync(path, join(logsOf(api), `${to}.log`))
  forget(api, name)
}

function notStarted({ name, to }: { readonly name: string; readonly to: string }, error: unknown): unknown {
  if (!isHolmError(error)) return error
  return new HolmError(error.code, `${name} is ${to} now, and did not start: ${error.message}`, {
    hint: `See what is wrong, then: holm workspace start ${to}`,
    cause: error,
  })
}

/** Does the same for environments without services, which no hook is called for. */
export function withLifecycle(api: Api, host: HostApi, workspaces: Workspaces): Workspaces {
  const enter = async (
    name: string,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Entered | undefined> => {
    const environment = await host.status(name, { signal })
    if (environment.status !== 'running' || environment.services.length > 0) return undefined
    return {
      environment,
      signal,
      exec: (request) => host.exec({ ...request, environment: name, signal, unattended: true }),
    }
  }
  const started = async (name: string, signal?: AbortSignal): Promise<void> => {
    if (lifecycleOf(api, name) === undefined) return
    const entered = await enter(name, signal)
    if (entered) await aroundStart(api, entered, () => Promise.resolve())
  }
  const restart: Workspaces['start'] = async (name, options = {}) => {
    const info = await workspaces.start(name, options)
    await started(info.name, options.signal)
    return info
  }
  const end: Workspaces['stop'] = async (name, options = {}) => {
    const known = workspaces.records().some((record) => record.name === name)
    const entered = known && mayHaveLifecycle(api, name) ? await enter(name, options.signal) : undefined
    if (entered) await aroundStop(api, entered, () => Promise.resolve())
    return workspaces.stop(name, options)
  }
  return {
    ...workspaces,
    async create(name, options) {
      const info = await workspaces.create(name, options).finally(() => forget(api, name))
      await started(name, options.signal)
      return info
    },
    start: restart,
    stop: end,
    rename: (name, to, options = {}) =>
      renameAround({ api, workspaces, restart, end }, { name, to }, options),
    delete: (name, options) => workspaces.delete(name, options).finally(() => forget(api, name)),
  }
}
