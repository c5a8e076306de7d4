import { existsSync } from 'node:fs'
import { HolmError, assertNotAborted } from '@holm/core'
import type { EnvironmentState, Probe, Provider, ProviderContext, Traits } from '@holm/core'
import { execInside } from './exec.ts'
import { tellFullDisk } from './files-on-disk.ts'
import {
  createWith,
  draftRecord,
  fillFromBase,
  loadRecords,
  removeEnvironment,
  startEnvironment,
  stopEnvironment,
  sweep,
} from './lifecycle.ts'
import { createLogs } from './logs.ts'
import { createMetrics } from './metrics.ts'
import { optionsSchema, type LxcConfig } from './options.ts'
import { createPause } from './pause.ts'
import { findMissing, probeLxc } from './probe.ts'
import { releaseEnded } from './network.ts'
import { loadRecord, type LxcRecord } from './record.ts'
import { assertSupported, listIgnored } from './requirements.ts'
import { createSession, type LxcSettings, type Session } from './session.ts'
import { absentState, loadState } from './state.ts'
import { createExport } from './export.ts'
import { createResize } from './resize.ts'
import { createFiles } from './files.ts'
import { createSnapshots } from './snapshots.ts'
import { createClone } from './clone.ts'
import { createChoice } from './choose.ts'
import { dispatch } from './dispatch.ts'
import type { Driver } from './incus/provider.ts'
import { findSocket } from './incus/socket.ts'

export const traits: Traits = {
  isolation: 'system-container',
  rootless: true,
  bases: ['rootfs', 'folder'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: ['cpus', 'memory', 'pids'],
  networks: ['default', 'none', 'host', 'named'],
  mapsPorts: true,
}

export interface LxcProviderSettings extends LxcSettings {
  readonly config?: LxcConfig | undefined
  /** Told what has to be undone when holm ends. */
  readonly onDispose?: (dispose: () => void) => void
}

/** LXC containers: by LXC's own tools, or by the daemon of Incus or LXD where that is what the machine has. */
export function createLxcProvider(settings: LxcProviderSettings): Provider {
  const session = createSession(settings)
  const tools = createToolsDriver(session)
  let incus: Promise<Driver> | undefined
  const socket = settings.config?.socket
  const load = async (): Promise<Driver> => {
    const { createIncusDriver } = await import('./incus/provider.ts')
    const driver = createIncusDriver({ ...settings, socket })
    settings.onDispose?.(driver.dispose)
    return driver
  }
  const choice = createChoice({
    tools,
    incus: () => (incus ??= load()),
    hasSocket: () => findSocket({ env: settings.env, configured: socket, exists: existsSync }) !== undefined,
    toolsProblem: () => findMissing(session),
    configured: settings.config?.driver,
    paths: settings.paths,
    namespace: settings.namespace,
  })
  return { id: 'lxc', traits, optionsSchema, ...dispatch(choice) }
}

function createToolsDriver(session: Session): Driver {
  return {
    probe: (ctx) => probeLxc(session, ctx).catch(failedProbe),
    ...createMethods(session),
    logs: createLogs(session),
    ports: {
      list: async (name) => (await loadState(await session.require(name), session.folder(name))).ports,
    },
    files: createFiles(session),
    metrics: createMetrics(session),
    pause: createPause(session),
    snapshots: createSnapshots(session),
    clone: createClone(session),
    export: createExport(session),
    resize: createResize(session),
  }
}

function failedProbe(error: unknown): Probe {
  return { usable: false, reason: error instanceof Error ? error.message : String(error), limitations: [] }
}

type Methods = Pick<Provider, 'create' | 'inspect' | 'list' | 'start' | 'stop' | 'exec' | 'remove'>

function createMethods(session: Session): Methods {
  const { caller } = session.settings
  return {
    create: async (spec, ctx) => {
      assertNotAborted(ctx.signal)
      assertSupported(spec, caller)
      session.folder(spec.name)
      assertUsable(session)
      for (const each of listIgnored(spec, caller)) ctx.log.warn(`${spec.name}: ${each}`)
      await sweep(session, ctx)
      const draft = draftRecord(session, spec)
      return tellFullDisk(() =>
        createWith(session, draft, { ctx, fill: () => fillFromBase(session, draft, ctx) }),
      )
    },
    inspect: async (name, ctx) => {
      const record = await loadRecord(session.folder(name))
      return record === undefined ? absentState(name) : lookAt(session, record, ctx)
    },
    list: async (ctx) => {
      const records = await loadRecords(session)
      return Promise.all(records.map((record) => lookAt(session, record, ctx)))
    },
    start: (name, ctx) => tellFullDisk(() => startEnvironment(session, name, ctx)),
    stop: (name, options, ctx) => stopEnvironment(session, name, { options, ctx }),
    exec: async (name, request, ctx) => {
      assertNotAborted(ctx.signal)
      return execInside(session, await session.requireRunning(name), { request, ctx })
    },
    remove: (name, options, ctx) => removeEnvironment(session, name, { options, ctx }),
  }
}

async function lookAt(session: Session, record: LxcRecord, ctx: ProviderContext): Promise<EnvironmentState> {
  const state = await loadState(record, session.folder(record.name))
  // Stopped with a reason: by nobody.
  if (state.status === 'stopped' && state.reason !== undefined) await releaseEnded(session, record.name, ctx)
  return state
}

function assertUsable(session: Session): void {
  const missing = findMissing(session)
  if (missing === undefined) return
  throw new HolmError(
    'HOLM_PROVIDER_UNAVAILABLE',
    `lxc cannot be used: ${missing.reason ?? 'unknown reason'}`,
    {
      hint: missing.fix ?? 'Run `holm doctor`.',
    },
  )
}
