import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { EnvironmentState, RemoveOptions, StopOptions } from '@holm/core'
import type { Client } from './client.ts'
import { findEnvironment, findTask, stateOf } from './environment.ts'
import type { Environment, Target } from './environment.ts'
import { ignoreMissing, isStatus } from './failure.ts'
import { collectGarbage } from './lease.ts'
import { withEnvironmentLock } from './locks.ts'
import { assertUnmounted, unmountLeftovers } from './mounted.ts'
import { label } from './names.ts'
import { tellNeighbours } from './neighbours.ts'
import { detachNetwork } from './network.ts'
import { removeUnusedNetworks } from './networks.ts'
import { releasePorts } from './ports.ts'
import { awaitEnd } from './process-end.ts'
import { absentState, filesOf, parseRecord } from './record.ts'
import { loadRun, removeRun } from './run-record.ts'
import { removeSnapshots } from './snapshot-files.ts'
import { removeVolumes } from './volumes.ts'

/** How long the kernel may take to end what was killed, milliseconds. */
const killWithinMs = 20_000

export async function stopEnvironment(target: Target, { graceMs }: StopOptions): Promise<EnvironmentState> {
  const { engine, name, ctx } = target
  return engine.use({ ctx, action: `stop ${name}` }, async (client) => {
    const found = await findEnvironment(client, name)
    if (!found) return absentState(name)
    return withEnvironmentLock(target, async () => {
      const again = await findEnvironment(client, name)
      if (!again) return absentState(name)
      if (again.task) await endTask(client, again.container.id, graceMs)
      await clearRun(client, target, again)
      return stateOf({ ...again, task: undefined })
    })
  })
}

/** SIGTERM to the main process, then SIGKILL to all. Returns when it has ended. */
async function endTask(client: Client, containerId: string, graceMs: number): Promise<void> {
  const task = await findTask(client, containerId)
  if (!task || task.status === 'STOPPED') return
  if (task.status === 'PAUSED' || task.status === 'PAUSING')
    await client.call('Tasks.Resume', { containerId }).catch(ignoreEnded)
  if (graceMs > 0 && task.status !== 'CREATED') {
    await client.call('Tasks.Kill', { containerId, signal: 15 }).catch(ignoreEnded)
    if ((await awaitEnd(client, { containerId }, graceMs)) !== undefined) return
  }
  await client.call('Tasks.Kill', { containerId, signal: 9, all: true }).catch(ignoreEnded)
  await awaitEnd(client, { containerId }, killWithinMs)
}

/** A process that ended a moment ago is no error. */
function ignoreEnded(error: unknown): void {
  if (!isStatus(error, 'NOT_FOUND', 'FAILED_PRECONDITION') && !/already (finished|dead)/i.test(String(error)))
    throw error
}

/** Takes away all that a start made, also one that was interrupted: task, network, ports, mounts. */
export async function clearRun(client: Client, target: Target, found: Environment): Promise<void> {
  const { engine, ctx } = target
  const { container, record } = found
  const containerId = container.id
  const run = await loadRun(record.folder)
  if (found.task) await removeTask(client, containerId)
  const { cniId, address, ports = [] } = run ?? {}
  const { network } = record
  if (cniId !== undefined) await detachNetwork({ engine, network, cniId, address, ports, ctx })
  if (run) await releasePorts({ engine, folder: record.folder }, run.ports)
  await unmountLeftovers(filesOf(record.folder).mounts, ctx.runner)
  await clearIo(filesOf(record.folder).io)
  await removeRun(record.folder)
  if (address !== undefined) await tellNeighbours(client, { engine, network, ctx })
}

export async function removeTask(client: Client, containerId: string): Promise<void> {
  await endTask(client, containerId, 0)
  await client.call('Tasks.Delete', { containerId }).catch(ignoreMissing)
}

/** FIFOs of programs that a killed holm did not see the end of. Those that are free stay. */
async function clearIo(io: string): Promise<void> {
  const names = await readdir(io).catch(() => [])
  await Promise.all(
    names.filter((name) => !name.startsWith('free-')).map((name) => rm(path.join(io, name), { force: true })),
  )
}

export async function removeEnvironment(target: Target, options: RemoveOptions): Promise<void> {
  const { engine, name, ctx } = target
  await engine.use({ ctx, action: `remove ${name}` }, async (client) => {
    const found = await findEnvironment(client, name)
    if (found) await withEnvironmentLock(target, () => removeLocked(client, target))
    if (options.volumes) await removeOwnVolumes(client, target, found)
    // Also when there is none: whoever removed it may have been killed before the network went, too.
    await removeUnusedNetworks(engine, ctx, { loadUsed: () => listUsedNetworks(client) })
  })
}

async function removeLocked(client: Client, target: Target): Promise<void> {
  const found = await findEnvironment(client, target.name)
  if (!found) return
  await clearRun(client, target, found)
  await removeSnapshots(client, found)
  await assertUnmounted(found.record.folder)
  await rm(found.record.folder, { recursive: true, force: true, maxRetries: 3 })
  // Last, for `list` finds what is half removed by it.
  await client.call('Containers.Delete', { id: found.container.id }).catch(ignoreMissing)
  await collectGarbage(client)
}

async function removeOwnVolumes(
  client: Client,
  { engine, name }: Target,
  found: Environment | undefined,
): Promise<void> {
  const others = await listRecords(client)
  const used = new Set(
    others
      .filter((other) => other.name !== name)
      .flatMap(({ volumes }) => volumes.map((each) => each.name ?? '')),
  )
  const attached = found?.record.volumes.flatMap((volume) => volume.name ?? []) ?? []
  const root = path.join(engine.folder, 'volumes')
  await removeVolumes({ root, environment: name, attached, used })
}

async function listRecords(client: Client): Promise<readonly Environment['record'][]> {
  const { containers } = await client.call('Containers.List', { filters: [`labels."${label.name}"`] })
  return containers.map(parseRecord).filter((record) => record !== undefined)
}

/** What environments name, whether they run or not. */
export async function listUsedNetworks(client: Client): Promise<ReadonlySet<string>> {
  return new Set((await listRecords(client)).map(({ network }) => network))
}
