import { rm } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentState, ProviderContext, SnapshotsFacet } from '@holm/core'
import { restoreMemory } from './checkpoints.ts'
import { createDisk, diskFile, listChains, newDiskId, sweepDisks } from './disks.ts'
import { freezeDisk } from './freeze.ts'
import { killMachine } from './launch.ts'
import { withLock } from './lock.ts'
import { saveRecord, type QemuRecord, type SnapshotEntry } from './record.ts'
import { addSnapshot, assertFree, infoOf } from './snapshot-entries.ts'
import type { Session } from './session.ts'
import { stateOf, stoppedRecord } from './state.ts'

export function createSnapshots(session: Session): SnapshotsFacet {
  const locked = async <T>(name: string, action: (record: QemuRecord) => Promise<T>): Promise<T> => {
    await session.require(name)
    return withLock(session.folder(name), { name: `environment ${name}` }, async () =>
      action(await session.require(name)),
    )
  }
  return {
    create: (name, snapshot, ctx) =>
      locked(name, async (before) => {
        assertFree(before, snapshot)
        const { record, disk } = await freezeDisk(session, before, ctx)
        return addSnapshot(session, record, { name: snapshot, createdAt: new Date().toISOString(), disk })
      }),
    list: async (name) => {
      const record = await session.require(name)
      return Promise.all(record.snapshots.map((entry) => infoOf(session, record, entry)))
    },
    restore: (name, snapshot, ctx) =>
      locked(name, (record) => restore(session, record, { entry: findEntry(record, snapshot), ctx })),
    remove: (name, snapshot) =>
      locked(name, async (record) => {
        const entry = record.snapshots.find((each) => each.name === snapshot)
        if (entry === undefined) return
        const files = await listChains(session.layout, [entry.disk])
        const snapshots = record.snapshots.filter((each) => each !== entry)
        await saveRecord(session.folder(name), { ...record, snapshots })
        if (entry.memory) await rm(path.join(session.folder(name), entry.memory.file), { force: true })
        await sweepDisks(session.layout, files)
      }),
  }
}

function findEntry(record: QemuRecord, snapshot: string): SnapshotEntry {
  const entry = record.snapshots.find(({ name }) => name === snapshot)
  if (entry) return entry
  throw new HolmError('HOLM_USAGE', `environment ${record.name} has no snapshot ${snapshot}`, {
    hint: `Run \`holm snapshot list ${record.name}\` to see them.`,
  })
}

async function restore(
  session: Session,
  record: QemuRecord,
  { entry, ctx }: { readonly entry: SnapshotEntry; readonly ctx: ProviderContext },
): Promise<EnvironmentState> {
  const folder = session.folder(record.name)
  await killMachine(record, folder)
  const disk = newDiskId()
  const backing = { file: diskFile(session.layout, entry.disk), format: 'qcow2' as const }
  await createDisk(diskFile(session.layout, disk), { backing, env: session.toolEnv }, ctx)
  const files = await listChains(session.layout, [record.disk])
  const { untouchedOver: _over, ...rest } = stoppedRecord(record)
  const next: QemuRecord = { ...rest, disk, ...(entry.memory ? {} : { untouchedOver: entry.disk }) }
  await saveRecord(folder, next)
  await sweepDisks(session.layout, files)
  return entry.memory ? restoreMemory(session, next, { memory: entry.memory, ctx }) : stateOf(next, folder)
}
