import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { CheckpointsFacet, EnvironmentState, ProviderContext, SnapshotInfo } from '@holm/core'
import { askAgent } from './agent.ts'
import { diskFile } from './disks.ts'
import { layDisk, switchDisk } from './freeze.ts'
import { encodeMount } from './guest-config.ts'
import { kernelOf, planMachine, runMachine } from './launch.ts'
import { withLock } from './lock.ts'
import { resumeMachine, waitForMemory, writeMemory } from './memory.ts'
import { withQmp } from './qmp.ts'
import { saveRecord, type Machine, type QemuRecord, type SavedMemory } from './record.ts'
import { agentOf, notRunning, type Session } from './session.ts'
import { planMounts } from './shares.ts'
import { addSnapshot, assertFree } from './snapshot-entries.ts'
import { isRunning, stateOf } from './state.ts'

type Live = QemuRecord & { readonly machine: Machine }

export function createCheckpoints(session: Session): CheckpointsFacet {
  return {
    create: async (name, snapshot, ctx) => {
      await session.require(name)
      return withLock(session.folder(name), { name: `environment ${name}` }, async () => {
        const record = await session.require(name)
        if (!isRunning(record)) throw notRunning(record)
        assertFree(record, snapshot)
        return save(session, record, { snapshot, ctx })
      })
    },
  }
}

/**
 * Memory and disk of one moment: the machine stands still while both are taken. A shared folder cannot be saved with it, so
 * it is let go of before and mounted again afterwards; one that a program uses stays, and the checkpoint is refused.
 */
async function save(
  session: Session,
  record: Live,
  { snapshot, ctx }: { readonly snapshot: string; readonly ctx: ProviderContext },
): Promise<SnapshotInfo> {
  const folder = session.folder(record.name)
  const file = `memory-${randomBytes(6).toString('hex')}`
  const config = await planMachine(session, record, { kernel: await kernelOf(session, record, ctx), ctx })
  await releaseShares(session, record)
  try {
    const next = await layDisk(session, record, ctx)
    await withQmp(folder, async (qmp) => {
      await qmp.run('stop')
      try {
        await switchDisk(qmp, diskFile(session.layout, next.disk), next.disk)
        await writeMemory(qmp, { folder, file }, ctx)
      } finally {
        if (record.machine.paused === undefined) await resumeMachine(qmp)
      }
    })
    const memory: SavedMemory = { file, config, limits: record.machine.limits }
    return await addSnapshot(session, next, {
      name: snapshot,
      createdAt: new Date().toISOString(),
      disk: record.disk,
      memory,
    })
  } catch (error) {
    await rm(path.join(folder, file), { force: true })
    throw error
  } finally {
    await mountShares(session, record)
  }
}

async function releaseShares(session: Session, record: Live): Promise<void> {
  const targets = planMounts(session.layout, record).mounts.filter(({ kind }) => kind === '9p')
  if (targets.length === 0) return
  try {
    await askAgent(agentOf(record), 'umount', {
      words: { arg: targets.map(({ target }) => target) },
      timeoutMs: 60_000,
    })
  } catch (error) {
    await mountShares(session, record)
    throw new HolmError(
      'HOLM_ENVIRONMENT_BUSY',
      `environment ${record.name} cannot be saved while a program uses a mounted folder (${error instanceof Error ? error.message : String(error)})`,
      { hint: 'End the programs that use it, or make a snapshot without memory.', cause: error },
    )
  }
}

/** Mounts what is not mounted. */
async function mountShares(session: Session, record: Live): Promise<void> {
  const mounts = planMounts(session.layout, record).mounts.filter(({ kind }) => kind === '9p')
  if (mounts.length === 0) return
  await askAgent(agentOf(record), 'mount', { words: { arg: mounts.map(encodeMount) }, timeoutMs: 60_000 })
}

/** Starts a machine that goes on where the saved one was. The record names a fresh disk over the saved one's. */
export async function restoreMemory(
  session: Session,
  record: QemuRecord,
  { memory, ctx }: { readonly memory: SavedMemory; readonly ctx: ProviderContext },
): Promise<EnvironmentState> {
  const folder = session.folder(record.name)
  const { id, name } = record
  const config = { ...memory.config, id, name, disk: diskFile(session.layout, record.disk) }
  const machine = await runMachine(session, record, {
    config,
    extra: ['-incoming', `exec:cat ${memory.file}`],
    ctx,
    ready: (ended) => waitForMemory(folder, ended, ctx),
  })
  const next: Live = { ...record, machine: { ...machine, limits: memory.limits } }
  await saveRecord(folder, next)
  const words = { time: Math.round(Date.now() / 1000), seed: randomBytes(64).toString('hex') }
  await askAgent(agentOf(next), 'wake', { words })
  await mountShares(session, next)
  return stateOf(next, folder)
}
