import { rm } from 'node:fs/promises'
import { HolmError } from '@holm/core'
import type { Facets, SnapshotInfo } from '@holm/core'
import { copyFiles } from './folders.ts'
import { endGroups } from './groups.ts'
import { startEnvironment } from './lifecycle.ts'
import { stateOf, type MemoryRuntime } from './runtime.ts'
import type { MemoryRecord } from './store.ts'

export function createSnapshots(runtime: MemoryRuntime): Facets['snapshots'] {
  const { folders } = runtime
  return {
    create: async (name, snapshot, ctx) => {
      await runtime.enter('snapshots.create', ctx, name)
      return saveSnapshot(runtime, { name, snapshot, includesMemory: false })
    },
    list: async (name, ctx) => {
      await runtime.enter('snapshots.list', ctx, name)
      return (await runtime.find(name)).snapshots
    },
    restore: async (name, snapshot, ctx) => {
      await runtime.enter('snapshots.restore', ctx, name)
      const found = await runtime.find(name)
      const { includesMemory } = requireSnapshot(found, snapshot)
      await endGroups(found.groups, 0)
      await copyFiles(folders.snapshotOf(found.id, snapshot), folders.filesOf(found.id))
      const stopped = await runtime.change(name, markStopped)
      return includesMemory ? startEnvironment(runtime, name, ctx) : stateOf(runtime, stopped)
    },
    remove: async (name, snapshot, ctx) => {
      await runtime.enter('snapshots.remove', ctx, name)
      const { id } = await runtime.change(name, (record) => {
        record.snapshots = record.snapshots.filter((each) => each.name !== snapshot)
      })
      await rm(folders.snapshotOf(id, snapshot), { recursive: true, force: true })
    },
  }
}

/** Copies the files. A name that exists is a conflict. */
export async function saveSnapshot(
  { folders, change }: MemoryRuntime,
  {
    name,
    snapshot,
    includesMemory,
  }: Omit<SnapshotInfo, 'environment' | 'createdAt'> & { readonly snapshot: string },
): Promise<SnapshotInfo> {
  const createdAt = new Date().toISOString()
  const info: SnapshotInfo = { name: snapshot, environment: name, createdAt, includesMemory }
  const { id } = await change(name, ({ snapshots }) => {
    if (snapshots.some((each) => each.name === snapshot)) throw conflict(name, snapshot)
    snapshots.push(info)
  })
  await copyFiles(folders.filesOf(id), folders.snapshotOf(id, snapshot))
  return info
}

function markStopped(record: MemoryRecord): void {
  Object.assign(record, { status: 'stopped', ports: [], groups: [] })
  delete record.startedAt
}

function requireSnapshot(record: MemoryRecord, snapshot: string): SnapshotInfo {
  const found = record.snapshots.find(({ name }) => name === snapshot)
  if (found) return found
  throw new HolmError('HOLM_USAGE', `environment ${record.name} has no snapshot ${snapshot}`, {
    hint: 'List its snapshots.',
  })
}

function conflict(name: string, snapshot: string): HolmError {
  return new HolmError(
    'HOLM_ENVIRONMENT_CONFLICT',
    `environment ${name} already has a snapshot ${snapshot}`,
    {
      hint: 'Choose another name, or remove the old one.',
    },
  )
}
