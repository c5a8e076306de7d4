import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { EnvironmentSpec, EnvironmentState, ProviderContext, StopOptions } from '@holm/core'
import { createGroups, loadLimitFacts, planLimits, removeGroupsWhenEmpty } from './cgroup.ts'
import { resolveUser } from './exec.ts'
import { isMissing, removeTree } from './folders.ts'
import { launchHolder, layersOf } from './launch.ts'
import { sweepLayers } from './layers.ts'
import { identifySelf, withLock } from './lock.ts'
import { thaw, wakeWaiting } from './pause.ts'
import { listPorts } from './ports.ts'
import { isAlive, listChildren, listProcesses, sendSignal, type ProcessIdentity } from './processes.ts'
import {
  claimFolder,
  damaged,
  discardFolder,
  isName,
  loadRecord,
  saveRecord,
  type Holder,
  type Layout,
  type SandboxRecord,
} from './record.ts'
import { createLayer, prepareLower } from './rootfs.ts'
import { groupName, type Session } from './session.ts'
import { absentState, isRunning, stateOf, stoppedRecord } from './state.ts'
import {
  brokenState,
  endMarked,
  folderGone,
  forgetStart,
  listMarked,
  markEnv,
  noteStart,
  wasStarted,
} from './strays.ts'
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
  const folder = session.folder(draft.name)
  for (let round = 0; !(await claimFolder(session.layout, draft)); round += 1) {
    const found = await resolveTaken(session, draft)
    if (found !== undefined) return found
    // Another holm may have removed it in between, but not every time: the folder is there, and no record in it.
    if (round > 20) throw damaged(folder)
    await sleep(round)
  }
  try {
    // Of an earlier one whose folder was removed by hand: with this record in place nobody would look for them.
    if (wasStarted(session.layout, draft.name)) await endMarked(session, draft.name)
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
  const found = await loadRecord(session.folder(name))
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
  const rootless = draft.caller.uid !== 0
  const lower = await prepareLower(base, { cache: session.options.paths.cache, rootless }, ctx)
  const layer = await createLayer({ folder, lower, rootless, env: session.toolEnv }, ctx)
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
    await noteStart(session.layout, name)
    try {
      const started = await launchHolder(
        record,
        {
          paths: { folder, volumes: session.layout.volumes, data: session.options.paths.data },
          env: { ...session.toolEnv, ...markEnv(session.layout, name) },
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
    hint: 'Make it anew with: holm up --recreate',
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
    await endMarked(session, name)
    await discardFolder(layout, folder)
  } else {
    await withLock(folder, name, async () => {
      await endHolder(record, 0)
      await keepVolumes(session, record)
      await discardFolder(layout, folder)
    })
  }
  await sweepLayers(layout)
  await forgetStart(layout, name)
  if (volumes) await removeVolumes(session, name)
}

/** Named volumes outlive the environment that made them; only this file still says whose they were. */
async function keepVolumes({ layout }: Session, record: SandboxRecord): Promise<void> {
  const named = namedVolumes(record)
  if (named.length === 0) return
  const earlier = await loadKept(layout, record.name)
  await mkdir(layout.kept, { recursive: true, mode: 0o700 })
  const all = [...new Set([...earlier, ...named])]
  await writeFile(path.join(layout.kept, record.name), all.join('\n'), { mode: 0o600 })
}

async function loadKept(layout: Layout, name: string): Promise<readonly string[]> {
  const text = await readFile(path.join(layout.kept, name), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return ''
    throw error
  })
  return text.split('\n').filter(Boolean)
}

function namedVolumes({ mounts }: SandboxRecord): string[] {
  return mounts.flatMap((mount) =>
    mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
  )
}

/** Named volumes of a removed environment that no other one of the namespace mounts. */
async function removeVolumes(session: Session, name: string): Promise<void> {
  const { layout } = session
  const used = new Set((await loadRecords(session)).flatMap(namedVolumes))
  for (const volume of await loadKept(layout, name)) {
    if (!used.has(volume)) await removeTree(volumeSource(volume, 0, { folder: '', volumes: layout.volumes }))
  }
  await rm(path.join(layout.kept, name), { force: true })
  await rmdir(layout.kept).catch(() => undefined)
}

/** The records of all environments that have a sound one. */
export async function loadRecords(session: Session): Promise<readonly SandboxRecord[]> {
  const found = await Promise.all((await listNames(session)).map((name) => loadSound(session, name)))
  return found.filter((record) => record !== undefined)
}

async function listNames({ layout }: Session): Promise<string[]> {
  const names = await readdir(layout.environments).catch(() => [])
  return names.filter(
    (name) => isName(name) && existsSync(path.join(layout.environments, name, 'record.json')),
  )
}

/** Undefined for a damaged record, and for none. */
async function loadSound(session: Session, name: string): Promise<SandboxRecord | undefined> {
  return loadRecord(session.folder(name)).catch((error: unknown) => {
    if (isHolmError(error)) return undefined
    throw error
  })
}

/** What cannot be read is an environment, too: it may run, and has to be removed. */
export async function inspectEnvironment(session: Session, name: string): Promise<EnvironmentState> {
  try {
    const record = await loadRecord(session.folder(name))
    if (record !== undefined) return stateOf(record, listPorts(record))
    return listMarked(session.layout).has(name) ? brokenState(name, folderGone) : absentState(name)
  } catch (error) {
    if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return brokenState(name, error.message)
    throw error
  }
}

export async function listStates(session: Session): Promise<readonly EnvironmentState[]> {
  const names = new Set([...(await listNames(session)), ...listMarked(session.layout).keys()])
  const states = await Promise.all([...names].map((name) => inspectEnvironment(session, name)))
  return states.filter(({ status }) => status !== 'absent')
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
