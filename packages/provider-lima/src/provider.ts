import type { Provider, Traits } from '@holm/core'
import { createClone } from './clone.ts'
import { createEnvironment } from './create.ts'
import { startExec } from './exec.ts'
import { createExport } from './export.ts'
import { createFiles } from './files.ts'
import { removeEnvironment, startEnvironment, stopEnvironment } from './lifecycle.ts'
import { createLogs } from './logs.ts'
import { createMetrics } from './metrics.ts'
import { optionsSchema } from './options.ts'
import { probeLima } from './probe.ts'
import { createResize } from './resize.ts'
import { createSession, type LimaSettings } from './session.ts'
import { createSnapshots } from './snapshots.ts'
import { inspectEnvironment, listEnvironments, providerId } from './state.ts'
import { requireStored } from './store.ts'

export const traits: Traits = {
  isolation: 'vm',
  rootless: true,
  bases: ['disk', 'image'],
  mounts: ['bind', 'tmpfs'],
  limits: ['cpus', 'memory', 'disk'],
  networks: ['default'],
  mapsPorts: true,
  nestedDocker: true,
}

/** Does no I/O: limactl is first started by the first call. */
export function createProvider(settings: LimaSettings): Provider {
  const session = createSession(settings)
  return {
    id: providerId,
    traits,
    optionsSchema,
    probe: (ctx) => probeLima(session, ctx),
    create: (spec, ctx) => createEnvironment(session, spec, ctx),
    inspect: (name, ctx) => inspectEnvironment(session, name, ctx),
    list: (ctx) => listEnvironments(session, ctx),
    start: (name, ctx) => startEnvironment({ session, name, ctx }),
    stop: (name, options, ctx) => stopEnvironment({ session, name, ctx }, options),
    exec: (name, request, ctx) => startExec(session, name, { request, ctx }),
    remove: (name, _options, ctx) => removeEnvironment({ session, name, ctx }),
    logs: createLogs(session),
    ports: {
      list: async (name, ctx) => {
        await requireStored(session, name)
        return (await inspectEnvironment(session, name, ctx)).ports
      },
    },
    files: createFiles(session),
    metrics: createMetrics(session),
    snapshots: createSnapshots(session),
    clone: createClone(session),
    export: createExport(session),
    resize: createResize(session),
  }
}
