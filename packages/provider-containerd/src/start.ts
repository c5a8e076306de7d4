import { mkdir, readFile, stat } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { EnvironmentState, PortBinding } from '@holm/core'
import { packJson, specType, unpackJson } from './api.ts'
import type { UnaryCalls } from './api.ts'
import type { Client } from './client.ts'
import { findTask, requireEnvironment, stateOf } from './environment.ts'
import type { Environment, Target } from './environment.ts'
import { writeEtc, writeHosts } from './etc-files.ts'
import { explain, isStatus, parseFailure } from './failure.ts'
import { ensureFifos } from './fifo.ts'
import { findInLayers } from './layers.ts'
import { withEnvironmentLock } from './locks.ts'
import { namesOf, tellNeighbours } from './neighbours.ts'
import { attachNetwork } from './network.ts'
import { hasBridge, isNamed, removeUnusedNetworks } from './networks.ts'
import type { OciSpec } from './oci-spec.ts'
import { releasePorts, takePorts } from './ports.ts'
import { filesOf } from './record.ts'
import { saveRun } from './run-record.ts'
import { ensureSnapshot } from './snapshot-files.ts'
import { clearRun, listUsedNetworks, removeTask } from './stop.ts'
import { parseUser, unknownUser } from './users.ts'
import { ensureVolumes } from './volumes.ts'

/** Idempotent; what an interrupted start left is cleared first. */
export async function startEnvironment(target: Target): Promise<EnvironmentState> {
  const { engine, name, ctx } = target
  return engine.use({ ctx, action: `start ${name}`, environment: name }, async (client) => {
    const found = await requireEnvironment(client, name)
    if (found.task?.status === 'RUNNING') return stateOf(found)
    return withEnvironmentLock(target, () => startLocked(client, target))
  })
}

async function startLocked(client: Client, target: Target): Promise<EnvironmentState> {
  const found = await requireEnvironment(client, target.name)
  const containerId = found.container.id
  switch (found.task?.status) {
    case 'RUNNING':
      return stateOf(found)
    case 'PAUSED':
    case 'PAUSING':
      await client.call('Tasks.Resume', { containerId })
      return stateOf({ ...found, task: await findTask(client, containerId) })
    default:
  }
  await clearRun(client, target, found)
  assertNotAborted(target.ctx.signal)
  try {
    await launch(client, target, found)
  } catch (error) {
    await clearRun(client, target, await requireEnvironment(client, target.name)).catch(() => {})
    throw error
  }
  await removeLeftNetworks(client, target, found.record.network)
  return stateOf({ ...found, task: await findTask(client, containerId) })
}

/** What a killed holm left of other networks. It runs whether that works or not: the next one tries it again. */
async function removeLeftNetworks(client: Client, { engine, ctx }: Target, except: string): Promise<void> {
  try {
    await removeUnusedNetworks(engine, ctx, { loadUsed: () => listUsedNetworks(client), except })
  } catch (error) {
    ctx.log.debug(`networks that nobody uses are left: ${(error as Error).message}`)
  }
}

async function launch(client: Client, target: Target, found: Environment): Promise<void> {
  const { engine, ctx } = target
  const { container, record } = found
  const { folder } = record
  const files = filesOf(folder)
  await mkdir(files.io, { recursive: true, mode: 0o700 })
  await Promise.all([writeEtc(files.etc, record), assertBinds(record.binds)])
  const mounts = await ensureSnapshot(client, found)
  const { runner } = ctx
  const volumes = { environment: record.name, volumes: record.volumes, mounts, below: files.mounts, runner }
  await ensureVolumes(volumes)
  await resolveMainUser(client, found, (file) => findInLayers(mounts, file))
  const ports = await openPorts(target, record)
  try {
    const stdout = `file://${encodeURI(files.log)}`
    const containerId = container.id
    const [{ pid }] = await Promise.all([
      createTask(client, { containerId, rootfs: mounts, stdout, stderr: stdout }),
      ensureFifos(files.io, runner),
    ])
    const cniId = `${engine.namespace}-${containerId}`
    const run = { startedAt: new Date().toISOString(), ports }
    if (hasBridge(record.network)) {
      const { network } = record
      await saveRun(folder, { ...run, cniId })
      const netns = `/proc/${pid}/ns/net`
      const address = await attachNetwork({ engine, network, cniId, netns, ports, ctx })
      await writeHosts(files.etc, { ...record, address, ...(isNamed(network) && { names: namesOf(record) }) })
      await saveRun(folder, { ...run, cniId, ...(address !== undefined && { address }) })
      // Before its main process looks for them.
      await tellNeighbours(client, { engine, network, ctx })
    } else await saveRun(folder, run)
    assertNotAborted(ctx.signal)
    await client.call('Tasks.Start', { containerId })
    await assertRunning(client, target, containerId)
  } catch (error) {
    await releasePorts({ engine, folder }, ports)
    throw startError(error, target)
  }
}

/** How long containerd may take to clear away a start whose holm was killed, milliseconds. */
const clearingMs = 10_000

/** A start that was cut off in the middle goes on in containerd for a moment: what it makes is removed, then it is made anew. */
async function createTask(
  client: Client,
  request: UnaryCalls['Tasks.Create'][0],
): Promise<{ readonly pid: number }> {
  const { containerId } = request
  const deadline = performance.now() + clearingMs
  for (;;) {
    try {
      return await client.call('Tasks.Create', request)
    } catch (error) {
      const isLeft = isStatus(error, 'ALREADY_EXISTS') || /file exists/.test(parseFailure(error).message)
      if (!isLeft || performance.now() > deadline) throw error
      if (await findTask(client, containerId)) await removeTask(client, containerId)
      await wait(100)
    }
  }
}

/** On this machine's own network a port is where it is; else each gets one of this machine's. */
async function openPorts(target: Target, record: Environment['record']): Promise<readonly PortBinding[]> {
  const { engine, name } = target
  if (record.network === 'host') return record.ports.map((port) => ({ ...port, host: port.container }))
  return takePorts({ engine, name, folder: record.folder }, record.ports)
}

async function assertBinds(sources: readonly string[]): Promise<void> {
  for (const source of sources) {
    if (await stat(source).catch(() => undefined)) continue
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${source} of a mount is not on this machine`, {
      hint: 'Create the folder, or correct the mount of the blueprint.',
      details: { source },
    })
  }
}

/** The main process of a base may be of a named user: its number can change from start to start. */
async function resolveMainUser(
  client: Client,
  { container, record }: Environment,
  find: (file: string) => Promise<string | undefined>,
): Promise<void> {
  const wanted = record.mainUser
  if (['', '0', 'root', '0:0'].includes(wanted)) return
  const read = async (file: string): Promise<string> => {
    const real = await find(file)
    return real === undefined ? '' : readFile(real, 'utf8').catch(() => '')
  }
  const user = parseUser(wanted, { passwd: await read('/etc/passwd'), group: await read('/etc/group') })
  if (!user) throw unknownUser(wanted, record.name)
  const oci = unpackJson(container.spec) as OciSpec
  const { uid, gid, additionalGids } = user
  const bounding = oci.process.capabilities.bounding
  const effective = uid === 0 ? bounding : []
  const process = {
    ...oci.process,
    user: { uid, gid, additionalGids },
    capabilities: { ...oci.process.capabilities, effective, permitted: effective },
  }
  const spec = packJson(specType, { ...oci, process })
  await client.call('Containers.Update', {
    container: { id: container.id, spec },
    updateMask: { paths: ['spec'] },
  })
}

async function assertRunning(client: Client, { name }: Target, containerId: string): Promise<void> {
  const task = await findTask(client, containerId)
  if (task?.status === 'RUNNING') return
  throw new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `the environment "${name}" ended right after its start${task ? ` with exit code ${task.exitStatus}` : ''}`,
    { hint: `Look at its output with \`holm logs ${name}\`.` },
  )
}

function startError(error: unknown, { engine, name }: Target): unknown {
  const { message } = parseFailure(error)
  if (!/executable file not found|exec: .*no such file/i.test(message))
    return explain(error, { action: `start ${name}`, address: engine.address })
  return new HolmError('HOLM_ENVIRONMENT_FAILED', `the main process of "${name}" cannot be run: ${message}`, {
    hint: 'Use a base that has /bin/sh and sleep, or `main: base`.',
    cause: error,
  })
}
