import { mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { EnvironmentSpec, EnvironmentState, ProviderContext, StopOptions } from '@holm/core'
import { createGroups, loadLimitFacts, planLimits, removeGroupsWhenEmpty } from './cgroup.ts'
import { resolveUser } from './exec.ts'
import { removeTree } from './folders.ts'
import { launchHolder, layersOf } from './launch.ts'
import { identifySelf, withLock } from './lock.ts'
import { thaw, wakeWaiting } from './pause.ts'
import { listPorts } from './ports.ts'
import { isAlive, listChildren, listProcesses, sendSignal, type ProcessIdentity } from './processes.ts'
import {
  claimFolder,
  discardFolder,
  loadRecord,
  saveRecord,
  type Holder,
  type SandboxRecord,
} from './record.ts'
import { createLayer, prepareLower } from './rootfs.ts'
import { groupName, type Session } from './session.ts'
import { absentState, isRunning, stateOf, stoppedRecord } from './state.ts'
import { volumeSource } from './volumes.ts'

/** The record as the very first step writes it. */
export function draftRecord(
  session: Session,
  spec: EnvironmentSpec,
  backend: SandboxRecord['backend'],
): SandboxRecord {
  const { name, labels, base, hostname, user, env, mounts, ports, network, resources, security } = spec
  return {
    version: 1,
    name,
    status: 'creating',
    creator: identifySelf(),
    createdAt: new Date().toISOString(),
    labels,
    backend,
    caller: session.options.caller,
    layer: 'none',
    base,
    hostname,
    ...(user === undefined ? {} : { user }),
    env,
    mounts,
    ports,
    network,
    resources,
    security,
  }
}

/** Claims the name, then lets `fill` make the files; what fails is removed again. */
export async function createWith(
  session: Session,
  draft: SandboxRecord,
  fill: (folder: string) => Promise<SandboxRecord>,
): Promise<EnvironmentState> {
  while (!(await claimFolder(session.layout, draft))) {
    const found = await resolveTaken(session, draft)
    if (found !== undefined) return found
  }
  const folder = session.folder(draft.name)
  try {
    const record: SandboxRecord = { ...(await fill(folder)), status: 'ready' }
    await saveRecord(folder, record)
    return stateOf(record, listPorts(record))
  } catch (error) {
    await discardFolder(session.layout, folder)
    throw error
  }
}

/** The state when the same environment is there; undefined when a dead creation was cleared away. */
async function resolveTaken(session: Session, draft: SandboxRecord): Promise<EnvironmentState | undefined> {
  const { name } = draft
  const found = await loadRecord(session.folder(name)).catch((error: unknown) => {
    if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return undefined
    throw error
  })
  if (found === undefined) return undefined
  if (!sameLabels(found.labels, draft.labels)) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `environment "${name}" exists already, made from something else`,
      {
        hint: 'Choose another name, or remove the other environment first.',
      },
    )
  }
  if (found.status === 'ready') return stateOf(found)
  if (isAlive(found.creator)) {
    throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is creating environment ${name}`, {
      hint: 'Wait until it has finished, then try again.',
    })
  }
  await discardFolder(session.layout, session.folder(name))
  return undefined
}

function sameLabels(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key])
}

/** Makes the files of a new environment. */
export async function fillFromBase(
  session: Session,
  draft: SandboxRecord,
  ctx: ProviderContext,
): Promise<SandboxRecord> {
  assertNotAborted(ctx.signal)
  const { base } = draft
  const folder = session.folder(draft.name)
  if (base.kind !== 'rootfs' && base.kind !== 'folder') {
    await mkdir(path.join(folder, 'home'), { mode: 0o755 })
    resolveUser(draft, ['/'])
    return draft
  }
  const lower = await prepareLower(base, session.options.paths.cache, ctx)
  const layer = await createLayer(
    { folder, lower, rootless: draft.caller.uid !== 0, env: session.toolEnv },
    ctx,
  )
  assertNotAborted(ctx.signal)
  const record: SandboxRecord = { ...draft, lower, layer }
  resolveUser(record, layersOf(record, folder))
  return record
}

export async function startEnvironment(
  session: Session,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const before = await session.require(name)
  if (isRunning(before)) return stateOf(before, listPorts(before))
  const folder = session.folder(name)
  return withLock(folder, name, async () => {
    const record = await session.require(name)
    if (isRunning(record)) return stateOf(record, listPorts(record))
    assertReady(record)
    await endHolder(record, 0)
    const plan = planLimits(record.resources, loadLimitFacts(groupName(session, name), record.caller.uid))
    createGroups(plan)
    try {
      const started = await launchHolder(
        record,
        {
          paths: { folder, volumes: session.layout.volumes, data: session.options.paths.data },
          env: session.toolEnv,
          cgroups: plan.folders,
        },
        ctx,
      )
      const next: SandboxRecord = {
        ...stoppedRecord(record),
        holder: { ...started, limits: plan.limits, cgroups: plan.folders },
      }
      await saveRecord(folder, next)
      return stateOf(next, listPorts(next))
    } catch (error) {
      await removeGroupsWhenEmpty(plan.folders, endDeadlineMs)
      throw error
    }
  })
}

function assertReady(record: SandboxRecord): void {
  if (record.status === 'ready') return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `environment ${record.name} was never finished`, {
    hint: `Run \`holm remove ${record.name}\`, then create it again.`,
  })
}

export async function stopEnvironment(
  session: Session,
  name: string,
  options: StopOptions,
): Promise<EnvironmentState> {
  const folder = session.folder(name)
  const before = await loadRecord(folder)
  if (before === undefined) return absentState(name)
  if (before.holder === undefined) return stateOf(before, listPorts(before))
  return withLock(folder, name, async () => {
    const record = await session.require(name)
    await endHolder(record, options.graceMs)
    const next = stoppedRecord(record)
    await saveRecord(folder, next)
    return stateOf(next, listPorts(next))
  })
}

/** SIGTERM to every program inside, after the grace SIGKILL to PID 1: the kernel then ends all of the namespace. */
export async function endHolder(record: SandboxRecord, graceMs: number): Promise<void> {
  const { holder } = record
  if (holder === undefined) return
  if (isAlive(holder.init)) {
    if (record.paused) thaw(record.paused.freezer, holder)
    if (graceMs > 0) await endPrograms(holder, Date.now() + graceMs)
    wakeWaiting(holder)
    if (isAlive(holder.init)) sendSignal(holder.init.pid, 'SIGKILL')
  }
  await waitForEnd(holder.init)
  for (const each of [holder.anchor, holder.monitor]) {
    if (isAlive(each)) sendSignal(each.pid, 'SIGKILL')
    await waitForEnd(each)
  }
  const freezer = record.paused?.freezer ?? undefined
  const groups = freezer === undefined ? holder.cgroups : [...holder.cgroups, freezer]
  await removeGroupsWhenEmpty(groups, endDeadlineMs)
}

async function endPrograms(holder: Holder, until: number): Promise<void> {
  // The first child of PID 1 only keeps the environment open: orphans come after it.
  const kept = new Set([holder.init.pid, listChildren(holder.init.pid)[0]])
  const left = (): number[] => listProcesses(holder.init.pid).filter((pid) => !kept.has(pid))
  for (const pid of left()) sendSignal(pid, 'SIGTERM')
  while (left().length > 0 && Date.now() < until) await sleep(10)
}

const endDeadlineMs = 10_000

async function waitForEnd(process: ProcessIdentity): Promise<void> {
  const until = Date.now() + endDeadlineMs
  while (isAlive(process)) {
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `process ${process.pid} does not end after SIGKILL`)
    await sleep(2)
  }
}

export async function removeEnvironment(session: Session, name: string, volumes: boolean): Promise<void> {
  const { layout } = session
  const folder = session.folder(name)
  const record = await loadRecord(folder).catch((error: unknown) => {
    if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return undefined
    throw error
  })
  if (record?.status === 'creating' && isAlive(record.creator) && record.creator.pid !== process.pid) {
    throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm process is creating environment ${name}`, {
      hint: 'Wait until it has finished, then try again.',
    })
  }
  if (record === undefined) {
    await discardFolder(layout, folder)
    return
  }
  await withLock(folder, name, async () => {
    await endHolder(record, 0)
    await discardFolder(layout, folder)
  })
  if (volumes) await removeVolumes(session, record)
}

/** Named volumes that no other environment of the namespace mounts. */
async function removeVolumes(session: Session, record: SandboxRecord): Promise<void> {
  const named = (each: SandboxRecord): string[] =>
    each.mounts.flatMap((mount) =>
      mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
    )
  const used = new Set((await loadRecords(session)).flatMap(named))
  for (const volume of named(record)) {
    if (used.has(volume)) continue
    await removeTree(volumeSource(volume, 0, { folder: '', volumes: session.layout.volumes }))
  }
}

export async function loadRecords(session: Session): Promise<readonly SandboxRecord[]> {
  const names = await readdir(session.layout.environments).catch(() => [])
  const records = await Promise.all(
    names.map((name) => loadRecord(session.folder(name)).catch(() => undefined)),
  )
  return records.filter((record) => record !== undefined)
}

/** What killed processes left in the trash. Entries of running ones are young and theirs. */
export async function sweepTrash(session: Session): Promise<void> {
  const names = await readdir(session.layout.trash).catch(() => [])
  for (const name of names) {
    const entry = path.join(session.layout.trash, name)
    const found = await stat(entry).catch(() => undefined)
    if (found !== undefined && Date.now() - found.ctimeMs > 600_000) await removeTree(entry)
  }
}
