import { randomUUID } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { HolmError, abortError, assertNotAborted, isHolmError } from '@holm/core'
import type { EnvironmentSpec, EnvironmentState, ProviderContext, StopOptions } from '@holm/core'
import { askAgent } from './agent.ts'
import { waitForCloudInit } from './cloud-init.ts'
import {
  createDisk,
  diskFile,
  disksOf,
  listChains,
  loadDiskSize,
  newDiskId,
  sweepDisks,
  type Backing,
} from './disks.ts'
import { removeTree } from './files-on-disk.ts'
import { defaultDiskBytes, prepareDisk, prepareImage } from './image.ts'
import { bootMachine, endProcess, killMachine, waitForEnd } from './launch.ts'
import { busy, isLocked, withLock } from './lock.ts'
import { identifySelf, isAlive } from './processes.ts'
import { resumeMachine } from './memory.ts'
import { withQmp } from './qmp.ts'
import { claimFolder, discardFolder, loadRecord, loadRecords, saveRecord, type QemuRecord } from './record.ts'
import { agentOf, newToken, type Session } from './session.ts'
import { volumeFolder } from './shares.ts'
import { absentState, findProcess, findStray, isRunning, stateOf, stoppedRecord } from './state.ts'

export function draftRecord(spec: EnvironmentSpec): QemuRecord {
  const { base, hostname, user, env, mounts, ports, network, resources, main } = spec
  return {
    version: 1,
    name: spec.name,
    id: randomUUID(),
    status: 'creating',
    creator: identifySelf(),
    createdAt: new Date().toISOString(),
    labels: spec.labels,
    options: spec.options['qemu'] ?? {},
    token: newToken(),
    disk: newDiskId(),
    snapshots: [],
    base,
    hostname,
    env,
    mounts,
    ports,
    network,
    resources,
    main,
    ...(user === undefined ? {} : { user }),
    ...(spec.nestedDocker === true && { nestedDocker: true as const }),
  }
}

/** Makes an environment whose disk `fill` makes. Whatever goes wrong, nothing is left. */
export async function createWith(
  session: Session,
  draft: QemuRecord,
  fill: () => Promise<QemuRecord>,
): Promise<EnvironmentState> {
  const { layout } = session
  const folder = session.folder(draft.name)
  while (!(await claimFolder(layout, draft))) {
    const existing = await loadRecord(folder)
    if (existing === undefined) continue
    if (existing.status === 'ready') return existingState(existing, { draft, folder })
    if (isAlive(existing.creator)) throw busy(`environment ${draft.name}`)
    await dropEnvironment(session, existing)
  }
  try {
    const record = await fill()
    await saveRecord(folder, { ...record, status: 'ready' })
    return stateOf({ ...record, status: 'ready' }, folder)
  } catch (error) {
    await dropEnvironment(session, draft)
    throw error
  }
}

function existingState(
  existing: QemuRecord,
  { draft, folder }: { readonly draft: QemuRecord; readonly folder: string },
): EnvironmentState {
  if (sameLabels(existing.labels, draft.labels)) return stateOf(existing, folder)
  throw new HolmError('HOLM_ENVIRONMENT_CONFLICT', `the name ${draft.name} is taken by another environment`, {
    hint: 'Choose another name, or remove the other environment.',
  })
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

/** The disk of a new environment: an empty one over the image of its base. */
export async function fillFromBase(
  session: Session,
  draft: QemuRecord,
  ctx: ProviderContext,
): Promise<QemuRecord> {
  const { diskBytes } = draft.resources
  const backing = await prepareBacking(session, draft, ctx)
  assertNotAborted(ctx.signal)
  const usual = backing.sizeBytes ?? defaultDiskBytes
  await createDisk(
    diskFile(session.layout, draft.disk),
    {
      backing,
      env: session.toolEnv,
      ...(diskBytes === undefined || diskBytes <= usual ? {} : { sizeBytes: diskBytes }),
    },
    ctx,
  )
  if (ctx.signal.aborted) throw abortError(ctx.signal)
  return draft
}

async function prepareBacking(
  session: Session,
  { base, resources }: QemuRecord,
  ctx: ProviderContext,
): Promise<Backing & { readonly sizeBytes?: number }> {
  const options = { folder: session.images, env: session.toolEnv }
  if (base.kind === 'disk') {
    const file = await prepareDisk(base, options, ctx)
    const sizeBytes = base.format === 'qcow2' ? await loadDiskSize(file) : (await stat(file)).size
    return { file, format: base.format, sizeBytes }
  }
  if (base.kind !== 'rootfs' && base.kind !== 'folder')
    throw new HolmError('HOLM_BUG', `no disk can be made from a base of kind ${base.kind}`)
  const { diskBytes } = resources
  const file = await prepareImage(
    base,
    { ...options, uid: session.options.uid, ...(diskBytes === undefined ? {} : { diskBytes }) },
    ctx,
  )
  return { file, format: 'raw' }
}

export async function startEnvironment(
  session: Session,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const before = await session.require(name)
  const folder = session.folder(name)
  if (isRunning(before)) return stateOf(before, folder)
  return withLock(folder, { name: `environment ${name}` }, async () => {
    const record = await session.require(name)
    if (isRunning(record)) return stateOf(record, folder)
    const ready = await prepareStart(session, record)
    const machine = await bootMachine(session, ready, { ctx })
    const next: Opened = { ...ready, machine }
    await saveRecord(folder, next)
    if (next.base.kind === 'disk') await settle(session, next, ctx)
    return stateOf(next, folder)
  })
}

/** A disk with cloud-init is ready when that is done. */
async function settle(session: Session, record: Opened, ctx: ProviderContext): Promise<void> {
  try {
    await waitForCloudInit(record, ctx)
  } catch (error) {
    const folder = session.folder(record.name)
    await killMachine(record, folder)
    await saveRecord(folder, stoppedRecord(record))
    throw error
  }
}

/** Ends what a killed holm left half started, and notes that the disk will be written to. */
async function prepareStart(session: Session, record: QemuRecord): Promise<QemuRecord> {
  if (record.status !== 'ready')
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `environment ${record.name} was never finished`, {
      hint: `Run \`holm destroy ${record.name}\`, then create it again.`,
    })
  const folder = session.folder(record.name)
  await killMachine(record, folder)
  const { untouchedOver: _over, ...next } = stoppedRecord(record)
  await saveRecord(folder, next)
  return next
}

/** Runs `action` with a way into the machine. A stopped environment is booted for it, unseen, and stopped again. */
export async function withMachine<T>(
  session: Session,
  name: string,
  { action, ctx }: { readonly ctx: ProviderContext; readonly action: (record: Opened) => Promise<T> },
): Promise<T> {
  const { record, close } = await openMachine(session, name, ctx)
  try {
    return await action(record)
  } finally {
    await close()
  }
}

export type Opened = QemuRecord & { readonly machine: NonNullable<QemuRecord['machine']> }

/** The two halves of `withMachine`, for streams. `close` must be called. */
export async function openMachine(
  session: Session,
  name: string,
  ctx: ProviderContext,
): Promise<{ readonly record: Opened; readonly close: () => Promise<void> }> {
  const before = await session.require(name)
  if (isRunning(before)) return { record: await session.requireRunning(name), close: async () => undefined }
  const folder = session.folder(name)
  const opened = Promise.withResolvers<Opened>()
  const done = Promise.withResolvers<void>()
  const whole = withLock(folder, { name: `environment ${name}` }, async () => {
    const record = await session.require(name)
    if (isRunning(record)) return opened.resolve(record)
    const ready = await prepareStart(session, record)
    const machine = await bootMachine(session, ready, { ctx, hidden: true })
    const next = { ...ready, machine }
    await saveRecord(folder, next)
    opened.resolve(next)
    await done.promise
    await endMachine(session, next, 1000)
    await saveRecord(folder, stoppedRecord(await session.require(name)))
  })
  whole.catch((error: unknown) => opened.reject(error))
  const record = await opened.promise
  return {
    record,
    close: async () => {
      done.resolve()
      await whole
    },
  }
}

/** How long a machine may take to write its disks and switch itself off, besides the grace for its programs. */
const switchOffMs = 20_000

/** SIGTERM to every program inside, after the grace SIGKILL; then the machine switches itself off. */
export async function endMachine(session: Session, record: QemuRecord, graceMs: number): Promise<void> {
  const folder = session.folder(record.name)
  const pid = findProcess(record, folder)
  if (pid === undefined) return
  const { machine } = record
  if (machine !== undefined) {
    if (machine.paused) await withQmp(folder, resumeMachine).catch(() => undefined)
    const words = { grace: Math.ceil(graceMs) }
    const asked = await askAgent(agentOf({ ...record, machine }), 'poweroff', {
      words,
      timeoutMs: 5000,
    }).then(
      () => true,
      () => false,
    )
    if (asked && (await waitForEnd(pid, graceMs + switchOffMs))) return
  }
  await killMachine(record, folder)
}

export async function stopEnvironment(
  session: Session,
  name: string,
  options: StopOptions,
): Promise<EnvironmentState> {
  const folder = session.folder(name)
  const before = await loadRecord(folder)
  if (before === undefined) return absentState(name)
  if (before.machine === undefined && findProcess(before, folder) === undefined)
    return stateOf(before, folder)
  return withLock(folder, { name: `environment ${name}` }, async () => {
    const record = await session.require(name)
    await endMachine(session, record, options.graceMs)
    const next = stoppedRecord(record)
    await saveRecord(folder, next)
    return stateOf(next, folder)
  })
}

export async function removeEnvironment(session: Session, name: string, volumes: boolean): Promise<void> {
  const { layout } = session
  const folder = session.folder(name)
  const record = await loadRecord(folder).catch((error: unknown) => {
    if (isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return undefined
    throw error
  })
  if (record === undefined) {
    await endProcess(findStray(folder))
    await discardFolder(layout, folder)
    await sweepDisks(layout)
    return
  }
  if (record.status === 'creating' && isAlive(record.creator) && record.creator.pid !== process.pid)
    throw busy(`environment ${name}`)
  await withLock(folder, { name: `environment ${name}` }, () => dropEnvironment(session, record))
  if (volumes) await removeVolumes(session, record)
}

/** Ends its machine, takes its folder away, and with it the disks that nobody else needs. */
async function dropEnvironment(session: Session, record: QemuRecord): Promise<void> {
  const folder = session.folder(record.name)
  const latest = (await loadRecord(folder).catch(() => undefined)) ?? record
  await killMachine(latest, folder)
  const files = await listChains(session.layout, [...disksOf(latest), ...disksOf(record)])
  await discardFolder(session.layout, folder)
  await sweepDisks(session.layout, files)
  await sweepTrash(session)
}

/** Named volumes that no other environment of the namespace mounts. */
async function removeVolumes(session: Session, record: QemuRecord): Promise<void> {
  const named = (each: QemuRecord): string[] =>
    each.mounts.flatMap((mount) =>
      mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
    )
  const used = new Set((await loadRecords(session.layout)).flatMap(named))
  for (const volume of named(record)) {
    if (!used.has(volume)) await removeTree(volumeFolder(session.layout, record, volume))
  }
}

/** What killed processes left in the trash. Entries of running ones are young and theirs. */
async function sweepTrash({ layout }: Session): Promise<void> {
  for (const name of await readdir(layout.trash).catch(() => [])) {
    const entry = path.join(layout.trash, name)
    const found = await stat(entry).catch(() => undefined)
    if (found !== undefined && Date.now() - found.ctimeMs > 600_000) await removeTree(entry)
  }
}

/** Records of all environments; a damaged one is told as failed. */
export async function listEnvironments(session: Session): Promise<readonly EnvironmentState[]> {
  const names = await readdir(session.layout.environments).catch(() => [])
  const states = await Promise.all(names.map((name) => inspectEnvironment(session, name)))
  return states.filter(({ status }) => status !== 'absent')
}

export async function inspectEnvironment(session: Session, name: string): Promise<EnvironmentState> {
  const folder = session.folder(name)
  try {
    const record = await loadRecord(folder)
    if (record !== undefined) return stateOf(record, folder)
    // Between two steps of another holm a folder may have no record for a moment; one that stays so is damaged.
    const there = (await stat(folder).catch(() => undefined)) !== undefined && !(await isLocked(folder))
    return there ? damagedState(name, 'its record is missing') : absentState(name)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) throw error
    return damagedState(name, error.message)
  }
}

function damagedState(name: string, reason: string): EnvironmentState {
  return { ...absentState(name), status: 'failed', reason }
}
