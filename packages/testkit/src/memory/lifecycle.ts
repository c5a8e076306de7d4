import { appendFile, mkdir, rm } from 'node:fs/promises'
import type { EnvironmentState, ProviderContext, RemoveOptions, StopOptions } from '@holm/core'
import { tmpfsFolder } from './create.ts'
import { endGroups } from './groups.ts'
import { bindPorts } from './ports.ts'
import { absentState, stateOf, type MemoryRuntime } from './runtime.ts'
import type { MemoryRecord } from './store.ts'

export async function startEnvironment(
  runtime: MemoryRuntime,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  await runtime.enter('start', ctx, name)
  const before = await runtime.find(name)
  if (before.status === 'running') return stateOf(runtime, before)
  const ports = await bindPorts(before.requestedPorts)
  await emptyTmpfs(runtime, before)
  await appendFile(runtime.folders.logOf(before.id), `started ${name}\n`)
  const record = await runtime.change(name, (each) => {
    if (each.status === 'running') return
    Object.assign(each, { status: 'running', ports, startedAt: new Date().toISOString() })
  })
  return stateOf(runtime, record)
}

export async function stopEnvironment(
  runtime: MemoryRuntime,
  { name, options }: { readonly name: string; readonly options: StopOptions },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  await runtime.enter('stop', ctx, name)
  const before = (await runtime.store.read()).environments[runtime.key(name)]
  if (before === undefined) return absentState(runtime, name)
  if (before.status !== 'running' && before.status !== 'paused') return stateOf(runtime, before)
  await endGroups(before.groups, options.graceMs)
  const record = await runtime.change(name, (each) => {
    Object.assign(each, { status: 'stopped', ports: [], groups: [] })
    delete each.startedAt
  })
  return stateOf(runtime, record)
}

export async function removeEnvironment(
  runtime: MemoryRuntime,
  { name, options }: { readonly name: string; readonly options: RemoveOptions },
  ctx: ProviderContext,
): Promise<void> {
  await runtime.enter('remove', ctx, name)
  const removed = await runtime.store.update(({ environments }) => {
    const record = environments[runtime.key(name)]
    delete environments[runtime.key(name)]
    const others = Object.values(environments).flatMap((each) => each.mounts)
    const shared = new Set(others.map((mount) => (mount.type === 'volume' ? mount.source : undefined)))
    return (
      record && {
        record: structuredClone(record),
        volumes: namedVolumes(record).filter((each) => !shared.has(each)),
      }
    )
  })
  if (removed === undefined) return
  await endGroups(removed.record.groups, 0)
  await rm(runtime.folders.folderOf(removed.record.id), { recursive: true, force: true, maxRetries: 5 })
  if (!options.volumes) return
  for (const volume of removed.volumes) {
    await rm(runtime.folders.volumeOf(`${runtime.namespace}/${volume}`), { recursive: true, force: true })
  }
}

function namedVolumes(record: MemoryRecord): string[] {
  return record.mounts.flatMap((mount) =>
    mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
  )
}

async function emptyTmpfs(runtime: MemoryRuntime, record: MemoryRecord): Promise<void> {
  for (const [index, mount] of record.mounts.entries()) {
    if (mount.type !== 'tmpfs') continue
    const folder = tmpfsFolder(runtime, record.id, index)
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
  }
}
