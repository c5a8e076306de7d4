import { assertNotAborted } from '@holm/core'
import type { Provider, Traits } from '@holm/core'
import { createCheckpoints } from './checkpoints.ts'
import { createClone } from './clone.ts'
import { execInside } from './exec.ts'
import { createExport, createFiles } from './files.ts'
import {
  createWith,
  draftRecord,
  fillFromBase,
  inspectEnvironment,
  listEnvironments,
  removeEnvironment,
  startEnvironment,
  stopEnvironment,
} from './lifecycle.ts'
import { createLogs } from './logs.ts'
import { createMetrics } from './metrics.ts'
import { optionsSchema } from './options.ts'
import { createPause } from './pause.ts'
import { probeQemu } from './probe.ts'
import { assertArchitecture, assertSupported, listIgnored } from './requirements.ts'
import { createResize } from './resize.ts'
import { agentOf, createSession, type QemuProviderOptions } from './session.ts'
import { createSnapshots } from './snapshots.ts'
import { isRunning } from './state.ts'

export const traits: Traits = {
  isolation: 'vm',
  rootless: true,
  bases: ['rootfs', 'folder', 'disk'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: ['cpus', 'memory', 'disk', 'pids'],
  networks: ['default', 'none'],
  mapsPorts: true,
  nestedDocker: true,
}

/** The provider over QEMU: every environment is a virtual machine of its own. */
export function createQemuProvider(options: QemuProviderOptions): Provider {
  const session = createSession(options)
  return {
    id: 'qemu',
    traits,
    optionsSchema,
    probe: (ctx) => probeQemu(session, ctx),
    create: async (spec, ctx) => {
      assertNotAborted(ctx.signal)
      session.folder(spec.name)
      await assertSupported(spec)
      await assertArchitecture(session, spec, ctx)
      for (const each of listIgnored(spec)) ctx.log.warn(`${spec.name}: ${each}`)
      const draft = draftRecord(spec)
      return createWith(session, draft, () => fillFromBase(session, draft, ctx))
    },
    inspect: (name) => inspectEnvironment(session, name),
    list: () => listEnvironments(session),
    start: (name, ctx) => startEnvironment(session, name, ctx),
    stop: (name, stop) => stopEnvironment(session, name, stop),
    exec: async (name, request, ctx) => {
      assertNotAborted(ctx.signal)
      const record = await session.requireRunning(name)
      const user = request.user ?? record.user
      const env = { ...record.env, ...request.env }
      return execInside(agentOf(record), { ...request, env, ...(user === undefined ? {} : { user }) }, ctx)
    },
    remove: (name, { volumes }) => removeEnvironment(session, name, volumes),
    logs: createLogs(session),
    ports: {
      list: async (name) => {
        const record = await session.require(name)
        return isRunning(record) ? record.machine.ports : []
      },
    },
    files: createFiles(session),
    metrics: createMetrics(session),
    pause: createPause(session),
    snapshots: createSnapshots(session),
    checkpoints: createCheckpoints(session),
    clone: createClone(session),
    export: createExport(session),
    resize: createResize(session),
  }
}
