import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import type { SnapshotMount } from './api.ts'
import type { Client } from './client.ts'
import type { Environment } from './environment.ts'
import { isStatus } from './failure.ts'
import { upperFolder } from './layers.ts'
import { label, snapshotter } from './names.ts'
import { ensureSnapshot } from './snapshot-files.ts'

export interface CommitRequest {
  readonly found: Environment
  /** Labels of the committed snapshot, besides where it came from. */
  readonly labels: Readonly<Record<string, string>>
  readonly lease: string
  readonly ctx: ProviderContext
}

/**
 * The files of an environment as they are now, as a committed snapshot: its name. Those of a stopped one are not copied: what was
 * written becomes a layer, and the environment goes on above it. Of a running one only what was written is copied.
 */
export async function commitFiles(client: Client, request: CommitRequest): Promise<string> {
  const { found, labels, lease } = request
  const key = found.container.snapshotKey
  const name = `${key}-${randomBytes(6).toString('hex')}`
  const committed = { ...labels, [label.origin]: key }
  const status = found.task?.status
  const mounts = await ensureSnapshot(client, found)
  if (status === undefined || status === 'STOPPED') {
    await client.call('Snapshots.Commit', { snapshotter, name, key, labels: committed }, { lease })
    // Should this not be reached, the next use of the environment makes it again from the same parent.
    await client.call('Snapshots.Prepare', { snapshotter, key, parent: name }, { lease })
    return name
  }
  const copy = `${name}-copy`
  await copyRunning(client, { ...request, mounts, key: copy })
  await client.call('Snapshots.Commit', { snapshotter, name, key: copy, labels: committed }, { lease })
  return name
}

/** The committed snapshot that an environment stands on, when it has written nothing since. */
export async function untouchedParent(
  client: Client,
  found: Environment,
  mounts: readonly SnapshotMount[],
): Promise<string | undefined> {
  if (found.task && found.task.status !== 'STOPPED') return undefined
  if ((await readdir(upperFolder(mounts))).length > 0) return undefined
  const { info } = await client.call('Snapshots.Stat', { snapshotter, key: found.container.snapshotKey })
  return info.parent
}

interface CopyRequest extends Omit<CommitRequest, 'labels'> {
  readonly mounts: readonly SnapshotMount[]
  /** Key of the new active snapshot. */
  readonly key: string
}

/** Frozen for the moment of the copy, so that it is of one moment. */
async function copyRunning(client: Client, request: CopyRequest): Promise<void> {
  const { found, mounts, key, lease, ctx } = request
  const containerId = found.container.id
  const { info } = await client.call('Snapshots.Stat', { snapshotter, key: found.container.snapshotKey })
  const prepared = await client.call(
    'Snapshots.Prepare',
    { snapshotter, key, parent: info.parent },
    { lease },
  )
  const isPaused = found.task?.status !== 'RUNNING'
  try {
    if (!isPaused) await client.call('Tasks.Pause', { containerId })
    try {
      await copyUpper(upperFolder(mounts), upperFolder(prepared.mounts), ctx)
    } finally {
      if (!isPaused) await client.call('Tasks.Resume', { containerId }).catch(ignoreEnded)
    }
  } catch (error) {
    await client.call('Snapshots.Remove', { snapshotter, key }).catch(() => {})
    throw error
  }
}

function ignoreEnded(error: unknown): void {
  if (!isStatus(error, 'NOT_FOUND')) throw error
}

/** Everything of it: owners, times, links, attributes, and the devices by which overlayfs keeps what was removed. */
async function copyUpper(from: string, to: string, { runner, signal }: ProviderContext): Promise<void> {
  const words = ['cp', '--archive', '--reflink=auto', '--', `${from}/.`, to]
  const { code, stderr } = await runner.run(words, { signal })
  if (code === 0) return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `its files could not be copied: ${stderr.trim()}`, {
    hint: 'Look for space on the disk that holds containerd’s data.',
  })
}
