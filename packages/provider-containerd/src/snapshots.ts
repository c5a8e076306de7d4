import { HolmError } from '@holm/core'
import type { EnvironmentState, SnapshotInfo, SnapshotsFacet } from '@holm/core'
import { isoTime } from './api.ts'
import type { Snapshot } from './api.ts'
import type { Client } from './client.ts'
import { commitFiles } from './copies.ts'
import type { Engine } from './engine.ts'
import { requireEnvironment, stateOf } from './environment.ts'
import type { Target } from './environment.ts'
import { ignoreMissing } from './failure.ts'
import { withLease } from './lease.ts'
import { withEnvironmentLock } from './locks.ts'
import { gcRoot, label, snapshotter } from './names.ts'
import { listOwn, removeUnused } from './snapshot-files.ts'
import { clearRun } from './stop.ts'

export function snapshotsFacet(engine: Engine): SnapshotsFacet {
  return {
    create: (name, snapshot, ctx) => createSnapshot({ engine, name, ctx }, snapshot),
    list: (name, ctx) =>
      engine.use({ ctx, action: `list the snapshots of ${name}`, environment: name }, async (client) => {
        const named = await listNamed(client, (await requireEnvironment(client, name)).container.snapshotKey)
        return Promise.all(named.map((each) => snapshotInfo(client, name, each)))
      }),
    restore: (name, snapshot, ctx) => restoreSnapshot({ engine, name, ctx }, snapshot),
    remove: (name, snapshot, ctx) => removeSnapshot({ engine, name, ctx }, snapshot),
  }
}

async function listNamed(client: Client, key: string): Promise<readonly Snapshot[]> {
  return (await listOwn(client, key)).filter(({ labels }) => labels[label.snapshot] !== undefined)
}

async function findNamed(client: Client, key: string, snapshot: string): Promise<Snapshot | undefined> {
  return (await listNamed(client, key)).find(({ labels }) => labels[label.snapshot] === snapshot)
}

async function snapshotInfo(client: Client, environment: string, found: Snapshot): Promise<SnapshotInfo> {
  const usage = await client.call('Snapshots.Usage', { snapshotter, key: found.name }).catch(ignoreMissing)
  return {
    name: found.labels[label.snapshot] ?? '',
    environment,
    createdAt: isoTime(found.createdAt) ?? new Date(0).toISOString(),
    ...(usage && { sizeBytes: usage.size }),
    includesMemory: false,
  }
}

async function createSnapshot(target: Target, snapshot: string): Promise<SnapshotInfo> {
  const { engine, name, ctx } = target
  return engine.use({ ctx, action: `snapshot ${name}`, environment: name }, async (client) => {
    await requireEnvironment(client, name)
    return withEnvironmentLock(target, async () => {
      const found = await requireEnvironment(client, name)
      const key = found.container.snapshotKey
      if (await findNamed(client, key, snapshot)) throw taken(name, snapshot)
      const labels = { [label.snapshot]: snapshot, [gcRoot]: new Date().toISOString() }
      const made = await withLease(client, (lease) => commitFiles(client, { found, labels, lease, ctx }))
      const { info } = await client.call('Snapshots.Stat', { snapshotter, key: made })
      return snapshotInfo(client, name, info)
    })
  })
}

function taken(name: string, snapshot: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_CONFLICT', `"${name}" has a snapshot "${snapshot}" already`, {
    hint: 'Choose another name, or remove the old one.',
  })
}

async function restoreSnapshot(target: Target, snapshot: string): Promise<EnvironmentState> {
  const { engine, name, ctx } = target
  return engine.use({ ctx, action: `restore ${name}`, environment: name }, async (client) => {
    await requireEnvironment(client, name)
    return withEnvironmentLock(target, async () => {
      const found = await requireEnvironment(client, name)
      const key = found.container.snapshotKey
      const wanted = await findNamed(client, key, snapshot)
      if (!wanted) {
        throw new HolmError('HOLM_USAGE', `"${name}" has no snapshot "${snapshot}"`, {
          hint: 'List them to see which there are.',
        })
      }
      await clearRun(client, target, found)
      await client.call('Snapshots.Remove', { snapshotter, key }).catch(ignoreMissing)
      await client.call('Snapshots.Prepare', { snapshotter, key, parent: wanted.name })
      return stateOf({ ...found, task: undefined })
    })
  })
}

async function removeSnapshot(target: Target, snapshot: string): Promise<void> {
  const { engine, name, ctx } = target
  const action = `remove the snapshot ${snapshot} of ${name}`
  await engine.use({ ctx, action, environment: name }, async (client) => {
    await requireEnvironment(client, name)
    await withEnvironmentLock(target, async () => {
      const { container } = await requireEnvironment(client, name)
      const found = await findNamed(client, container.snapshotKey, snapshot)
      if (!found || (await removeUnused(client, found.name))) return
      // Something stands on it: its files stay as long as that does, under no name.
      await client.call('Snapshots.Update', {
        snapshotter,
        info: { name: found.name, labels: {} },
        updateMask: { paths: [`labels.${label.snapshot}`, `labels.${gcRoot}`] },
      })
    })
  })
}
