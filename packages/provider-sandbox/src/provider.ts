import { HolmError, assertNotAborted } from '@holm/core'
import type { Probe, Provider, ProviderContext, Traits } from '@holm/core'
import { createClone, createSnapshots } from './copies.ts'
import { createExport } from './export.ts'
import { createFiles } from './files.ts'
import {
  createWith,
  draftRecord,
  fillFromBase,
  inspectEnvironment,
  listStates,
  removeEnvironment,
  startEnvironment,
  stopEnvironment,
  sweepTrash,
} from './lifecycle.ts'
import { createLogs } from './logs.ts'
import { createSeatbeltProvider } from './macos/provider.ts'
import { createMetrics } from './metrics.ts'
import { createPause } from './pause.ts'
import { listPorts } from './ports.ts'
import { findBackend, limitationsOf, type BackendResult } from './probe.ts'
import { assertSupported, listIgnored } from './requirements.ts'
import { createResize } from './resize.ts'
import { createSession, type SandboxOptions, type Session } from './session.ts'

export const traits: Traits = {
  isolation: 'process',
  rootless: true,
  bases: ['rootfs', 'folder', 'host'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: ['cpus', 'memory', 'pids'],
  networks: ['default', 'none', 'host'],
  mapsPorts: false,
}

/** The provider over this machine's own tools: bubblewrap, else unshare of util-linux. */
export function createSandboxProvider(
  options: SandboxOptions & { readonly platform?: NodeJS.Platform },
): Provider {
  const session = createSession(options)
  const platform = options.platform ?? 'linux'
  if (platform === 'darwin') return createSeatbeltProvider(session, options.sandboxExec)
  let result: Promise<BackendResult> | undefined
  /** Asked once in this process: what a machine allows does not change under it. */
  const backend = (ctx: ProviderContext): Promise<BackendResult> => {
    result ??= findBackend({
      runner: ctx.runner,
      env: session.toolEnv,
      uid: options.caller.uid,
      backends: options.backend === undefined ? ['bwrap', 'unshare'] : [options.backend],
    })
    return result
  }
  return {
    id: 'sandbox',
    traits,
    probe: async (ctx) =>
      platform === 'linux' ? probeOf(await backend(ctx), options.caller.uid) : otherPlatform(platform),
    ...createMethods(session, backend),
    logs: createLogs(session),
    ports: { list: async (name) => listPorts(await session.require(name)) },
    files: createFiles(session),
    metrics: createMetrics(session),
    pause: createPause(session),
    snapshots: createSnapshots(session),
    clone: createClone(session),
    export: createExport(session),
    resize: createResize(session),
  }
}

type Methods = Pick<Provider, 'create' | 'inspect' | 'list' | 'start' | 'stop' | 'exec' | 'remove'>

function createMethods(session: Session, backend: (ctx: ProviderContext) => Promise<BackendResult>): Methods {
  return {
    create: async (spec, ctx) => {
      assertNotAborted(ctx.signal)
      assertSupported(spec)
      session.folder(spec.name)
      const { found, ...why } = await backend(ctx)
      if (found === undefined) throw unavailable(why)
      for (const each of listIgnored(spec, session.options.caller)) ctx.log.warn(`${spec.name}: ${each}`)
      await sweepTrash(session)
      const draft = draftRecord(session, spec, found.backend)
      return createWith(session, draft, () => fillFromBase(session, draft, ctx))
    },
    inspect: (name) => inspectEnvironment(session, name),
    list: () => listStates(session),
    start: (name, ctx) => startEnvironment(session, name, ctx),
    stop: (name, options) => stopEnvironment(session, name, options),
    exec: async (name, request, ctx) => session.exec(await session.requireRunning(name), request, ctx),
    remove: (name, options) => removeEnvironment(session, name, options.volumes),
  }
}

function probeOf(result: BackendResult, uid: number): Probe {
  if (result.found === undefined)
    return { usable: false, reason: result.reason, fix: result.fix, limitations: [] }
  const { backend, version } = result.found
  return { usable: true, version, limitations: limitationsOf(backend, uid) }
}

function unavailable(why: { readonly reason?: string; readonly fix?: string }): HolmError {
  return new HolmError(
    'HOLM_PROVIDER_UNAVAILABLE',
    `the sandbox cannot be used: ${why.reason ?? 'unknown reason'}`,
    {
      hint: why.fix ?? 'Run `holm doctor`.',
    },
  )
}

function otherPlatform(platform: NodeJS.Platform): Probe {
  const reason = `The sandbox needs Linux or macOS, this is ${platform}.`
  const fix =
    platform === 'win32'
      ? 'Install WSL and use the provider wsl.'
      : 'Install Docker and use the provider docker.'
  return { usable: false, reason, fix, limitations: [] }
}
