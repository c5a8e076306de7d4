import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { HolmError, assertNotAborted, notRunning } from '@holm/core'
import type {
  EnvironmentSpec,
  EnvironmentState,
  ExecRequest,
  Exit,
  PortBinding,
  Probe,
  Process,
  Provider,
  ProviderContext,
  Traits,
} from '@holm/core'
import { resolveUser } from '../exec.ts'
import { removeTree } from '../folders.ts'
import { createWith, draftRecord, loadRecords, removeEnvironment, sweepTrash } from '../lifecycle.ts'
import { withLock } from '../lock.ts'
import { loadRecord, saveRecord, type SandboxRecord } from '../record.ts'
import { assertSupported, listIgnored } from '../requirements.ts'
import type { Session } from '../session.ts'
import { absentState, stateOf, stoppedRecord } from '../state.ts'
import { seatbeltCommand } from './command.ts'
import { listPlaces, type Place } from './places.ts'
import { bootOf, endProcesses, loadProcesses } from './process-list.ts'

export const seatbeltTraits: Traits = {
  isolation: 'process',
  rootless: true,
  bases: ['host'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: [],
  networks: ['default', 'none', 'host'],
  mapsPorts: false,
}

export const seatbeltLimitations: readonly string[] = [
  'The sandbox of macOS is not verified: holm was never run with it on a Mac by its tests.',
  'Nothing is mounted: a project, the home and /tmp of an environment are at other paths than the blueprint says; only the folder that a command starts in is translated.',
  'Processes of this machine can be seen, and no limit is enforced.',
  'The network is shared with this machine unless the blueprint asks for none.',
  'A program that leaves both its process group and its parent goes on after stop.',
]

/** Environments without a process of their own: a record says that one runs, each program is confined by sandbox-exec. */
export function createSeatbeltProvider(session: Session, sandboxExec = '/usr/bin/sandbox-exec'): Provider {
  return {
    id: 'sandbox',
    traits: seatbeltTraits,
    probe: (ctx) => probeSeatbelt(sandboxExec, ctx),
    create: (spec, ctx) => createEnvironment(session, spec, ctx),
    inspect: async (name, ctx) => {
      const record = await loadRecord(session.folder(name))
      return record === undefined ? absentState(name) : stateNow(record, await loadBoot(ctx))
    },
    list: async (ctx) => {
      const boot = await loadBoot(ctx)
      return (await loadRecords(session)).map((record) => stateNow(record, boot))
    },
    start: (name, ctx) => start(session, name, ctx),
    stop: (name, { graceMs }, ctx) => stop(session, { name, graceMs }, ctx),
    exec: (name, request, ctx) => exec({ session, sandboxExec }, { name, request }, ctx),
    remove: async (name, { volumes }, ctx) => {
      const record = await loadRecord(session.folder(name)).catch(() => undefined)
      if (record?.seatbelt) await stop(session, { name, graceMs: 0 }, ctx)
      await removeEnvironment(session, name, volumes)
    },
    ports: { list: async (name, ctx) => portsOf(await session.require(name), await loadBoot(ctx)) },
  }
}

async function probeSeatbelt(sandboxExec: string, ctx: ProviderContext): Promise<Probe> {
  const trial = await ctx.runner
    .run([sandboxExec, '-p', '(version 1)(allow default)', '/usr/bin/true'], { env: {}, timeoutMs: 2000 })
    .then(
      ({ code, stderr }) => (code === 0 ? undefined : stderr.trim()),
      (error: unknown) => String(error),
    )
  if (trial === undefined) return { usable: true, version: 'Seatbelt', limitations: seatbeltLimitations }
  const fix = 'Start holm outside of another sandbox, or use the provider lima or docker.'
  return { usable: false, reason: `sandbox-exec does not work here: ${trial}`, fix, limitations: [] }
}

async function createEnvironment(
  session: Session,
  spec: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  assertNotAborted(ctx.signal)
  assertSupported(spec)
  if (spec.base.kind !== 'host') {
    throw new HolmError(
      'HOLM_BLUEPRINT_UNSUPPORTED',
      `on macOS the sandbox cannot run the base "${spec.base.kind}"`,
      {
        hint: 'Use the base kind host, or another provider.',
      },
    )
  }
  session.folder(spec.name)
  for (const each of listIgnored(spec, session.options.caller)) ctx.log.warn(`${spec.name}: ${each}`)
  await sweepTrash(session)
  const draft = draftRecord(session, spec, 'seatbelt')
  const made = await createWith(session, draft, async (folder) => {
    resolveUser(draft, ['/'])
    for (const name of ['home', 'processes']) await mkdir(path.join(folder, name), { mode: 0o755 })
    assertNotAborted(ctx.signal)
    return draft
  })
  const record = await loadRecord(session.folder(spec.name))
  return record === undefined ? made : stateNow(record, await loadBoot(ctx))
}

const loadBoot = async (ctx: ProviderContext): Promise<string> => bootOf(await loadProcesses(ctx))

function stateNow(record: SandboxRecord, boot: string): EnvironmentState {
  const state = stateOf(record)
  if (record.seatbelt === undefined || record.status !== 'ready') return state
  if (record.seatbelt.boot !== boot) return { ...state, reason: 'this machine was restarted' }
  const { cpus, memoryBytes, diskBytes, pids } = record.resources
  const asked = { cpus, memory: memoryBytes, disk: diskBytes, pids }
  return {
    ...state,
    status: 'running',
    startedAt: record.seatbelt.startedAt,
    ports: portsOf(record, boot),
    limits: (['cpus', 'memory', 'disk', 'pids'] as const).flatMap((name) => {
      const value = asked[name]
      return value === undefined ? [] : [{ name, value, enforcedBy: null }]
    }),
  }
}

function portsOf(record: SandboxRecord, boot: string): PortBinding[] {
  if (record.seatbelt?.boot !== boot || record.network === 'none') return []
  return record.ports.map(({ container, hostIp, protocol }) => ({
    container,
    host: container,
    hostIp,
    protocol,
  }))
}

function placesOf(session: Session, record: SandboxRecord): Place[] {
  return listPlaces(record, { folder: session.folder(record.name), volumes: session.layout.volumes })
}

async function start(session: Session, name: string, ctx: ProviderContext): Promise<EnvironmentState> {
  const boot = await loadBoot(ctx)
  const before = stateNow(await session.require(name), boot)
  if (before.status === 'running') return before
  const folder = session.folder(name)
  return withLock(folder, name, async () => {
    const record = await session.require(name)
    if (record.status !== 'ready') {
      throw new HolmError('HOLM_ENVIRONMENT_FAILED', `environment ${name} was never finished`, {
        hint: 'Make it anew with: holm up --recreate',
      })
    }
    if (record.seatbelt?.boot === boot) return stateNow(record, boot)
    await removeTree(path.join(folder, 'processes'))
    await mkdir(path.join(folder, 'processes'))
    for (const place of placesOf(session, record)) {
      if (place.fleeting) await removeTree(place.path)
      if (place.own) await mkdir(place.path, { recursive: true })
    }
    const next: SandboxRecord = { ...record, seatbelt: { boot, startedAt: new Date().toISOString() } }
    await saveRecord(folder, next)
    return stateNow(next, boot)
  })
}

async function stop(
  session: Session,
  { name, graceMs }: { readonly name: string; readonly graceMs: number },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const folder = session.folder(name)
  const before = await loadRecord(folder)
  if (before === undefined) return absentState(name)
  if (before.seatbelt === undefined) return stateOf(before)
  return withLock(folder, name, async () => {
    const record = await session.require(name)
    // Marked first: no program is started from here on that the list of processes does not have.
    const next = stoppedRecord(record)
    await saveRecord(folder, next)
    if (record.seatbelt?.boot === (await loadBoot(ctx)))
      await endProcesses(path.join(folder, 'processes'), graceMs, ctx)
    return stateOf(next)
  })
}

interface Tools {
  readonly session: Session
  readonly sandboxExec: string
}

async function exec(
  { session, sandboxExec }: Tools,
  { name, request }: { readonly name: string; readonly request: ExecRequest },
  ctx: ProviderContext,
): Promise<Process> {
  const record = await session.require(name)
  if (stateNow(record, await loadBoot(ctx)).status !== 'running') {
    throw notRunning(name)
  }
  const folder = session.folder(name)
  const { argv, env } = seatbeltCommand(record, {
    request,
    places: placesOf(session, record),
    folder,
    sandboxExec,
  })
  assertNotAborted(ctx.signal)
  const started = await ctx.runner.spawn(argv, {
    cwd: '/',
    env,
    stdin: request.stdin ?? 'ignore',
    ...(request.pty ? { pty: request.pty } : {}),
  })
  const onAbort = (): void => void started.kill('SIGKILL')
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  if (ctx.signal.aborted) onAbort()
  const end = async (): Promise<Exit> => {
    try {
      return await started.exited
    } finally {
      ctx.signal.removeEventListener('abort', onAbort)
      await forget(path.join(folder, 'processes'), started.pid)
    }
  }
  return { ...started, exited: end() }
}

/** A number is kept as long as a group has it: background programs are found by it. */
async function forget(folder: string, pid: number | undefined): Promise<void> {
  if (pid === undefined) return
  try {
    process.kill(-pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH')
      await rm(path.join(folder, String(pid)), { force: true })
  }
}
