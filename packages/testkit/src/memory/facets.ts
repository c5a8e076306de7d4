import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path/posix'
import { existsSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { Facets, LogChunk, LogsOptions, ProviderContext } from '@holm/core'
import { createCheckpoints } from './checkpoints.ts'
import { createEnvironment } from './create.ts'
import { exportRootfs } from './export.ts'
import { mapInside } from './folders.ts'
import { listMembers, signalGroups, type GroupMember } from './groups.ts'
import { createImages } from './images.ts'
import { createResize } from './resize.ts'
import { assertRunning, stateOf, type MemoryRuntime } from './runtime.ts'
import { createSnapshots } from './snapshots.ts'

/** Every facet of the contract, over the fake runtime. */
export function createFacets(runtime: MemoryRuntime): Facets {
  return {
    logs: { read: (name, options, ctx) => readLog(runtime, { name, options }, ctx) },
    ports: {
      list: async (name, ctx) => {
        await runtime.enter('ports.list', ctx, name)
        return (await runtime.find(name)).ports
      },
    },
    files: createFiles(runtime),
    metrics: { sample: (name, ctx) => takeSample(runtime, name, ctx) },
    pause: createPause(runtime),
    ...createImages(runtime),
    snapshots: createSnapshots(runtime),
    clone: {
      clone: async (name, spec, ctx) => {
        await runtime.enter('clone.clone', ctx, name)
        return createEnvironment(runtime, { spec, origin: await runtime.find(name) }, ctx)
      },
    },
    checkpoints: createCheckpoints(runtime),
    export: { rootfs: (name, ctx) => exportRootfs(runtime, name, ctx) },
    resize: createResize(runtime),
  }
}

async function* readLog(
  runtime: MemoryRuntime,
  { name, options }: { readonly name: string; readonly options: LogsOptions },
  ctx: ProviderContext,
): AsyncIterable<LogChunk> {
  await runtime.enter('logs.read', ctx, name)
  const { id } = await runtime.find(name)
  let seen = 0
  for (let first = true; ; first = false) {
    const ended = !options.follow || !(await isRunning(runtime, name))
    const text = await readFile(runtime.folders.logOf(id)).catch(() => Buffer.alloc(0))
    const fresh = first ? lastLines(text, options.tail) : text.subarray(seen)
    seen = text.length
    if (fresh.length > 0) yield { stream: 'stdout', data: fresh }
    if (ended || ctx.signal.aborted) return
    await sleep(20, undefined, { signal: ctx.signal }).catch(() => undefined)
  }
}

async function isRunning(runtime: MemoryRuntime, name: string): Promise<boolean> {
  return (await runtime.store.read()).environments[runtime.key(name)]?.status === 'running'
}

function lastLines(text: Buffer, count: number | undefined): Buffer {
  if (count === undefined) return text
  if (count === 0) return Buffer.alloc(0)
  const lines = text.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? []
  return Buffer.from(lines.slice(-count).join(''), 'latin1')
}

function createFiles(runtime: MemoryRuntime): Facets['files'] {
  return {
    put: async (name, { path, tar }, ctx) => {
      await runtime.enter('files.put', ctx, name)
      const folder = mapInside(runtime.folders.filesOf((await runtime.find(name)).id), path)
      if (!existsSync(folder)) throw new HolmError('HOLM_USAGE', `${path} does not exist in ${name}`)
      const child = await ctx.runner.spawn(['tar', '-xf', '-', '-C', folder], {
        stdin: 'pipe',
        signal: ctx.signal,
      })
      child.stdout.resume()
      child.stderr.resume()
      // tar stops reading at the end of the archive, or when it has failed: its code tells which.
      if (child.stdin) await pipeline(tar, child.stdin).catch(ignoreClosed)
      const { code } = await child.exited
      assertNotAborted(ctx.signal)
      if (code !== 0) throw new HolmError('HOLM_COMMAND_FAILED', `tar ended with ${code}`)
    },
    get: (name, path, ctx) => readTar(runtime, { name, path }, ctx),
  }
}

function ignoreClosed(error: unknown): void {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
}

async function* readTar(
  runtime: MemoryRuntime,
  { name, path }: { readonly name: string; readonly path: string },
  ctx: ProviderContext,
): AsyncIterable<Uint8Array> {
  await runtime.enter('files.get', ctx, name)
  const record = await runtime.find(name)
  const files = runtime.folders.filesOf(record.id)
  const found = mapInside(files, path)
  if (!existsSync(found)) throw new HolmError('HOLM_USAGE', `there is no ${path} in ${name}`)
  // A mount is a link, and what it stands for is wanted.
  const how = record.mounts.some(({ target }) => mapInside(files, target) === found) ? '-chf' : '-cf'
  const argv = ['tar', how, '-', '-C', dirname(found), '--', basename(found)]
  const child = await ctx.runner.spawn(argv, { signal: ctx.signal })
  child.stderr.resume()
  yield* child.stdout as AsyncIterable<Uint8Array>
  await child.exited
  assertNotAborted(ctx.signal)
}

const ticksPerSecond = 100
const pageBytes = 4096
const intervalMs = 120

async function takeSample(
  runtime: MemoryRuntime,
  name: string,
  ctx: ProviderContext,
): ReturnType<Facets['metrics']['sample']> {
  await runtime.enter('metrics.sample', ctx, name)
  const record = await runtime.find(name)
  assertRunning(record)
  const since = performance.now()
  const before = listMembers(record.groups)
  await sleep(intervalMs)
  const after = listMembers(record.groups)
  const seconds = (performance.now() - since) / 1000
  return {
    cpuPercent: (Math.max(0, totalTicks(after) - totalTicks(before)) / ticksPerSecond / seconds) * 100,
    memoryBytes: after.reduce((sum, { residentPages }) => sum + residentPages, 0) * pageBytes,
    processes: after.length,
  }
}

function totalTicks(members: readonly GroupMember[]): number {
  return members.reduce((sum, { cpuTicks }) => sum + cpuTicks, 0)
}

function createPause(runtime: MemoryRuntime): Facets['pause'] {
  return {
    pause: async (name, ctx) => {
      await runtime.enter('pause.pause', ctx, name)
      const record = await runtime.change(name, (each) => {
        if (each.status !== 'paused') assertRunning(each)
        each.status = 'paused'
      })
      signalGroups(record.groups, 'SIGSTOP')
      return stateOf(runtime, record)
    },
    resume: async (name, ctx) => {
      await runtime.enter('pause.resume', ctx, name)
      const record = await runtime.change(name, (each) => {
        if (each.status !== 'paused') assertRunning(each)
        each.status = 'running'
      })
      signalGroups(record.groups, 'SIGCONT')
      return stateOf(runtime, record)
    },
  }
}
