import { HolmError, assertNotAborted } from '@holm/core'
import type { Provider, ProviderContext, Traits } from '@holm/core'
import { createClone, createSnapshots, streamRootfs } from './copies.ts'
import { execInside } from './exec.ts'
import { createFiles } from './files.ts'
import {
  createWith,
  draftRecord,
  importRootfs,
  inspectEnvironment,
  listEnvironments,
  removeEnvironment,
} from './lifecycle.ts'
import { createLogs } from './logs.ts'
import type { WslOptions } from './machine.ts'
import { createMetrics } from './metrics.ts'
import { optionsSchema } from './options.ts'
import { findWsl, hasInPlace, type Found } from './probe.ts'
import { startEnvironment, stopEnvironment } from './running.ts'
import { assertSupported, listIgnored } from './requirements.ts'
import { createSession } from './session.ts'
import { portsOf, stateOf } from './state.ts'

export const traits: Traits = {
  isolation: 'system-container',
  rootless: true,
  bases: ['rootfs'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: [],
  networks: ['default'],
  mapsPorts: false,
}

/** The provider over wsl.exe, from Windows or from inside a distribution. */
export function createWslProvider(options: WslOptions): Provider {
  const session = createSession(options)
  let found: Promise<Found> | undefined
  /** Asked once in this process, unless it failed: WSL may be installed meanwhile. */
  const find = async (ctx: ProviderContext): Promise<Found> => {
    found ??= findWsl(session, ctx)
    const result = await found
    if (!result.probe.usable) found = undefined
    return result
  }
  const inPlace = async (ctx: ProviderContext): Promise<boolean> => hasInPlace((await find(ctx)).version)
  return {
    id: 'wsl',
    traits,
    optionsSchema,
    probe: async (ctx) => (await find(ctx)).probe,
    create: async (spec, ctx) => {
      assertNotAborted(ctx.signal)
      assertSupported(session.machine, spec)
      const { probe } = await find(ctx)
      if (!probe.usable) throw unavailable(probe.reason, probe.fix)
      for (const each of listIgnored(spec)) ctx.log.warn(`${spec.name}: ${each}`)
      const record = draftRecord(session, spec)
      const { base } = spec
      if (base.kind !== 'rootfs') throw new HolmError('HOLM_BUG', `base ${base.kind} was let through`)
      return createWith(session, record, { ctx, fill: () => importRootfs(session, { record, base }, ctx) })
    },
    inspect: (name, ctx) => inspectEnvironment(session, name, ctx),
    list: (ctx) => listEnvironments(session, ctx),
    start: (name, ctx) => startEnvironment(session, name, ctx),
    stop: (name, { graceMs }, ctx) => stopEnvironment(session, { name, graceMs }, ctx),
    exec: async (name, request, ctx) => {
      assertNotAborted(ctx.signal)
      return execInside(session, { record: await session.requireRunning(name, ctx), request }, ctx)
    },
    remove: (name, { volumes }, ctx) => removeEnvironment(session, { name, volumes }, ctx),
    logs: createLogs(session),
    ports: {
      list: async (name, ctx) => {
        const record = await session.require(name, ctx)
        return stateOf(record, await session.look(ctx)).status === 'running' ? portsOf(record) : []
      },
    },
    files: createFiles(session),
    metrics: createMetrics(session),
    snapshots: createSnapshots(session, inPlace),
    clone: createClone(session, inPlace),
    export: { rootfs: (name, ctx) => streamRootfs(session, name, ctx) },
  }
}

function unavailable(reason = 'unknown reason', fix = 'Run `holm doctor`.'): HolmError {
  return new HolmError('HOLM_PROVIDER_UNAVAILABLE', `WSL cannot be used: ${reason}`, { hint: fix })
}
