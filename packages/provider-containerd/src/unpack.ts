import { randomBytes } from 'node:crypto'
import type { ProviderContext } from '@holm/core'
import type { Descriptor } from './api.ts'
import type { Client } from './client.ts'
import { isStatus } from './failure.ts'
import { chainIds } from './manifest.ts'
import { snapshotter } from './names.ts'

export interface UnpackRequest {
  readonly layers: readonly Descriptor[]
  readonly diffIds: readonly string[]
  readonly lease: string
  readonly ctx: ProviderContext
}

/** Unpacks the layers that are not there yet, each on top of the one before. Returns the name of the last one's snapshot. */
export async function unpackLayers(client: Client, request: UnpackRequest): Promise<string> {
  const chain = chainIds(request.diffIds)
  let parent = ''
  for (const [index, name] of chain.entries()) {
    const layer = request.layers[index]
    if (layer && !(await hasSnapshot(client, name)))
      await unpackLayer(client, { ...request, layer, name, parent, diffId: request.diffIds[index] ?? '' })
    parent = name
  }
  return parent
}

export async function hasSnapshot(client: Client, key: string): Promise<boolean> {
  try {
    await client.call('Snapshots.Stat', { snapshotter, key })
    return true
  } catch (error) {
    if (isStatus(error, 'NOT_FOUND')) return false
    throw error
  }
}

interface LayerRequest extends UnpackRequest {
  readonly layer: Descriptor
  readonly name: string
  readonly parent: string
  readonly diffId: string
}

async function unpackLayer(client: Client, request: LayerRequest): Promise<void> {
  const { layer, name, parent, lease, ctx, diffId } = request
  const key = `extract-${randomBytes(8).toString('hex')} ${name}`
  const { mounts } = await client.call('Snapshots.Prepare', { snapshotter, key, parent }, { lease })
  try {
    const apply = { diff: layer, mounts }
    const options = { lease, timeoutMs: 30 * 60_000, signal: ctx.signal }
    const { applied } = await client.call('Diff.Apply', apply, options)
    if (applied.digest !== diffId)
      throw new TypeError(`layer ${layer.digest} unpacks to ${applied.digest}, not to ${diffId}`)
    await client.call('Snapshots.Commit', { snapshotter, name, key }, { lease })
  } catch (error) {
    await client.call('Snapshots.Remove', { snapshotter, key }).catch(() => {})
    // Another process was faster.
    if (!isStatus(error, 'ALREADY_EXISTS')) throw error
  }
}
