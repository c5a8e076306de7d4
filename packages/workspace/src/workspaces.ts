import { existsSync } from 'node:fs'
import { HolmError, isHolmError } from '@holm/core'
import type { CallOptions } from '@holm/core'
import type { CreateOptions, DeleteOptions, DeleteResult, WorkspaceInfo, Workspaces } from './api.ts'
import { destroyIfThere, environmentOf, findRecord, type WorkspaceContext } from './context.ts'
import { planCredentials } from './credentials/remotes.ts'
import { diffWorkspace } from './diff.ts'
import { infoOf } from './info.ts'
import { listCommits } from './log.ts'
import { mergeWorkspace } from './merge.ts'
import { assertWorkspaceName, branchOf } from './names.ts'
import { createOverlay } from './overlay.ts'
import type { WorkspaceRecord } from './record.ts'
import { placeOf, repairPlace } from './place.ts'
import { assertNames, planRename } from './rename/plan.ts'
import { renameWorkspace, settle } from './rename/rename.ts'
import { saveWork, unsavedWork, type Unsaved } from './recovery.ts'
import { findRepository, findStart, resolveRevision } from './repository.ts'
import { folderInside } from './sync/without-mount.ts'
import {
  addWorktree,
  assertFree,
  bringIgnored,
  claimPlaces,
  removeWorktree,
  worktreePath,
} from './worktree.ts'

/** Without what needs a plugin's own folder or programs of its own: see open.ts. */
export type OwnWorkspaces = Omit<Workspaces, 'lendCredentials'>

export function createWorkspaces(context: WorkspaceContext): OwnWorkspaces {
  const { git, records, host } = context
  const find = (name: string): WorkspaceRecord => findRecord(records, name)
  const show = async (name: string, options: CallOptions = {}): Promise<WorkspaceInfo> =>
    infoOf(git, find(name), await environmentOf(host, name, options))
  return {
    create: (name, options) => create(context, name, options),
    list: (options = {}) => list(context, options),
    show,
    async start(name, options = {}) {
      const record = await settled(context, find(name))
      await bringUp(context, record, options)
      return show(record.name, options)
    },
    async stop(name, options = {}) {
      find(name)
      await host.stop(name, options)
      return show(name, options)
    },
    log: async (name, options) => listCommits(git, find(name), options),
    diff: async (name, { stat = false } = {}) => diffWorkspace(git, find(name), stat),
    merge: (name, options) => records.hold(name, 'merge', () => mergeWorkspace(git, find(name), options)),
    planRename: async (name, to, options = {}) =>
      planRename(context, assertNames(context, { name, to }), { ...options, to }),
    async rename(name, to, options = {}) {
      await renameWorkspace(context, { name, to }, options)
      return show(to, options)
    },
    delete: (name, options = {}) =>
      records.hold(name, 'delete', async () => remove(context, await settle(context, find(name)), options)),
    unsaved: async (name) => unsavedAnyhow(context, find(name)),
    repositoryOf: async (folder) => (await findRepository(git, folder)).root,
    records: () => records.list(),
  }
}

/** What an interrupted rename left is seen to first. */
async function settled(context: WorkspaceContext, record: WorkspaceRecord): Promise<WorkspaceRecord> {
  if (record.renaming === undefined) return record
  return context.records.hold(record.name, 'rename', () =>
    settle(context, findRecord(context.records, record.name)),
  )
}

/** Whether their work is anywhere else cannot be known without running what their configuration says. */
function holdsRepositories({ name, path }: WorkspaceRecord, nested: readonly string[]): HolmError {
  return new HolmError(
    'HOLM_WORKSPACE_UNSAVED',
    `${name} has repositories of its own, which holm cannot keep: ${nested.join(', ')}`,
    {
      hint: `See that their work is pushed or copied (${path}), then: holm workspace delete ${name} --force`,
      details: { name, nested },
    },
  )
}

async function list(
  { host, git, records }: WorkspaceContext,
  options: CallOptions,
): Promise<WorkspaceInfo[]> {
  const all = records.list()
  if (all.length === 0) return []
  const environments = new Map(
    (await host.list({ ...options, all: true })).map((environment) => [environment.name, environment]),
  )
  return Promise.all(all.map((record) => infoOf(git, record, environments.get(record.name))))
}

async function create(
  context: WorkspaceContext,
  name: string,
  options: CreateOptions,
): ReturnType<Workspaces['create']> {
  assertWorkspaceName(name)
  const { records, host, git } = context
  return records.hold(name, 'create', async () => {
    await assertNew(context, name, options)
    const planned = await plan(context, name, options)
    const { warnings } = planned
    let { record } = planned
    for (const warning of warnings) context.log.warn(warning)
    await assertFree(git, record)
    await claim(context, record)
    try {
      await addWorktree(git, record, options.signal)
      await bringIgnored(record, context.config)
      record = await settleFolder(context, record, options)
      await bringUp(context, record, options)
    } catch (error) {
      await undo(context, record)
      throw error
    }
    records.put(name, { ...record, phase: 'ready' })
    const info = await infoOf(git, { ...record, phase: 'ready' }, await environmentOf(host, name, {}))
    return { ...info, warnings }
  })
}

/** Where the worktree goes when it is not mounted is known when its blueprint is there. */
async function settleFolder(
  { host, records }: WorkspaceContext,
  record: WorkspaceRecord,
  { sync = false }: CreateOptions,
): Promise<WorkspaceRecord> {
  if (!sync) return record
  const settled = { ...record, synced: await folderInside(host, record) }
  records.put(record.name, settled)
  return settled
}

/** The record first: what a killed holm leaves is found by it. */
async function claim({ records, git }: WorkspaceContext, record: WorkspaceRecord): Promise<void> {
  records.put(record.name, record)
  try {
    await claimPlaces(git, record)
  } catch (error) {
    records.remove(record.name)
    throw error
  }
}

/** A half-made one that nobody works on any more is removed first. */
async function assertNew(context: WorkspaceContext, name: string, options: CallOptions): Promise<void> {
  const { records, host } = context
  const existing = records.get(name)
  if (existing?.phase === 'creating') {
    context.log.warn(`removing what an interrupted create left of ${name}`)
    const { recovery } = await remove(context, existing, { force: false })
    if (recovery !== undefined) context.log.warn(`what was in it is kept: git switch -c ${name} ${recovery}`)
    return
  }
  if (existing) {
    throw new HolmError(
      'HOLM_WORKSPACE_CONFLICT',
      `the workspace ${name} exists already, of ${existing.repository}`,
      {
        hint: `Enter it: holm workspace shell ${name}; or choose another name.`,
        details: { name, repository: existing.repository },
      },
    )
  }
  if ((await environmentOf(host, name, options)) === undefined) return
  throw new HolmError('HOLM_WORKSPACE_CONFLICT', `an environment has the name ${name}`, {
    hint: `Choose another name, or remove it: holm destroy ${name}`,
    details: { name },
  })
}

async function plan(
  { git, config }: WorkspaceContext,
  name: string,
  options: CreateOptions,
): Promise<{ record: WorkspaceRecord; warnings: readonly string[] }> {
  const { cwd, from, signal, blueprint, provider, worker, idleMs } = options
  const repository = await findRepository(git, cwd)
  const gitCredentials = await planCredentials(git, repository.root, {
    ...options,
    configured: config.gitCredentials,
  })
  const start =
    from === undefined
      ? await findStart(git, repository, { fetch: config.fetch !== false, signal })
      : { commit: await resolveRevision(git, repository.root, from), warnings: [] }
  return {
    warnings: start.warnings,
    record: {
      name,
      phase: 'creating',
      repository: repository.root,
      commonDir: repository.commonDir,
      path: worktreePath(repository.root, name, config),
      branch: branchOf(name),
      into: repository.branch,
      start: start.commit,
      createdAt: new Date().toISOString(),
      ...(worker !== undefined && { worker }),
      ...(idleMs !== undefined && { idleMs }),
      ...(gitCredentials && { gitCredentials }),
      ...(blueprint !== undefined && { blueprint }),
      ...(provider !== undefined && { provider }),
    },
  }
}

async function bringUp(
  { host, git, config }: WorkspaceContext,
  record: WorkspaceRecord,
  options: CallOptions & Pick<CreateOptions, 'resources' | 'docker'>,
): Promise<void> {
  const { resources, docker, signal, onEvent } = options
  const known = (await environmentOf(host, record.name, options)) !== undefined
  // What it was made with is kept with it; only a new one is told.
  const overlay = known ? undefined : await createOverlay(git, record, { config, resources })
  try {
    await host.up({
      cwd: record.path,
      project: record.path,
      name: record.name,
      ...(record.blueprint !== undefined && { blueprint: record.blueprint }),
      ...(record.provider !== undefined && { provider: record.provider }),
      ...(overlay && { overlay }),
      ...(overlay && docker === true && { docker }),
      ...(signal && { signal }),
      ...(onEvent && { onEvent }),
    })
  } catch (error) {
    throw explainMounts(record, error)
  }
}

/** Some runtimes mount folders only, and git's configuration is a file. */
function explainMounts({ commonDir }: WorkspaceRecord, error: unknown): unknown {
  if (!isHolmError(error, 'HOLM_BLUEPRINT_UNSUPPORTED') || !error.message.includes(commonDir)) return error
  return new HolmError(error.code, error.message, {
    hint: "Choose another --provider, or leave git's configuration writable inside: holm config set plugin.workspace.protectGit false",
    cause: error,
  })
}

/** Back to before `create`. What cannot be removed now is by the next one of that name; why it was given up matters more. */
async function undo(context: WorkspaceContext, record: WorkspaceRecord): Promise<void> {
  try {
    await remove(context, record, { force: true, keepVolumes: true })
  } catch (error) {
    context.log.warn(`${record.name} is left half-made: ${(error as Error).message}`)
  }
}

async function remove(
  context: WorkspaceContext,
  record: WorkspaceRecord,
  { signal, force = false, keepVolumes = false }: DeleteOptions,
): Promise<DeleteResult> {
  const { host, git, records } = context
  const { name } = record
  const { changed, commits, nested } = existsSync(record.repository)
    ? await unsavedAnyhow(context, record)
    : { changed: [], commits: 0, nested: [] }
  if (nested.length > 0 && !force) throw holdsRepositories(record, nested)
  const recovery = changed.length + commits === 0 ? undefined : await saveWork(git, record)
  await destroyIfThere(host, name, {
    ...(signal && { signal }),
    ...(!keepVolumes && { volumes: 'services' as const }),
  })
  await removeWorktree(git, record)
  records.remove(name)
  return { name, recovery }
}

/** Also of a worktree that git cannot read any more. */
async function unsavedAnyhow({ git, log }: WorkspaceContext, record: WorkspaceRecord): Promise<Unsaved> {
  if (existsSync(record.path) && placeOf(record) === undefined) repairPlace(record)
  try {
    return await unsavedWork(git, record)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_COMMAND_FAILED')) throw error
    log.warn(`git could not read the worktree of ${record.name}, which is repaired: ${error.message}`)
    repairPlace(record)
    return unsavedWork(git, record)
  }
}
