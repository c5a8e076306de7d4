import type { Snapshot, SnapshotMount } from './api.ts'
import type { Client } from './client.ts'
import type { Environment } from './environment.ts'
import { ignoreMissing, isStatus } from './failure.ts'
import { label, snapshotter } from './names.ts'

/** Committed snapshots that were made from an environment, those for its clones included. */
export async function listOwn(client: Client, key: string): Promise<readonly Snapshot[]> {
  const found: Snapshot[] = []
  const filters = [`labels."${label.origin}"==${JSON.stringify(key)}`]
  for await (const { info } of client.stream('Snapshots.List', { snapshotter, filters })) found.push(...info)
  return found.toSorted((a, b) => timeOf(a) - timeOf(b))
}

function timeOf({ createdAt }: Snapshot): number {
  return createdAt ? createdAt.seconds + createdAt.nanos / 1e9 : 0
}

/**
 * Mounts of an environment's files. They are made again where a killed holm left none: from the last that was committed of them, else from
 * what the environment began with.
 */
export async function ensureSnapshot(
  client: Client,
  { container, record }: Environment,
): Promise<readonly SnapshotMount[]> {
  const key = container.snapshotKey
  try {
    return (await client.call('Snapshots.Mounts', { snapshotter, key })).mounts
  } catch (error) {
    if (!isStatus(error, 'NOT_FOUND')) throw error
  }
  const parent = (await listOwn(client, key)).at(-1)?.name ?? record.parent
  return (await client.call('Snapshots.Prepare', { snapshotter, key, parent })).mounts
}

/** All files of an environment. What clones stand on stays with them. */
export async function removeSnapshots(client: Client, { container }: Environment): Promise<void> {
  const key = container.snapshotKey
  const active = await client.call('Snapshots.Stat', { snapshotter, key }).catch(ignoreMissing)
  await client.call('Snapshots.Remove', { snapshotter, key }).catch(ignoreMissing)
  const own = await listOwn(client, key)
  for (const { name } of own.toReversed()) await removeUnused(client, name)
  if (active) await removeChain(client, active.info.parent)
}

/** False when something stands on it. */
export async function removeUnused(client: Client, key: string): Promise<boolean> {
  try {
    await client.call('Snapshots.Remove', { snapshotter, key })
    return true
  } catch (error) {
    if (isStatus(error, 'NOT_FOUND')) return true
    if (isStatus(error, 'FAILED_PRECONDITION')) return false
    throw error
  }
}

/** From the top down, as long as they were made for clones alone and nothing stands on them. */
async function removeChain(client: Client, name: string): Promise<void> {
  const found =
    name === ''
      ? undefined
      : await client.call('Snapshots.Stat', { snapshotter, key: name }).catch(ignoreMissing)
  if (!found) return
  const { labels, parent } = found.info
  if (labels[label.origin] === undefined || labels[label.snapshot] !== undefined) return
  if (await removeUnused(client, name)) await removeChain(client, parent)
}
