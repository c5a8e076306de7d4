import { assertNotAborted } from '@holm/core'
import type { Provider } from '@holm/core'
import { execInside } from './exec.ts'
import { createExport } from './export.ts'
import { createMetrics, createPause, createResize } from './facets.ts'
import { createFiles } from './files.ts'
import { createEnvironment, inspectEnvironment, removeEnvironment, stopEnvironment } from './lifecycle.ts'
import { createLogs } from './logs.ts'
import { probeIncus } from './probe.ts'
import { createIncusSession, type IncusSettings } from './session.ts'
import { createClone, createSnapshots } from './snapshots.ts'
import { startEnvironment } from './start.ts'
import { parseState } from './state.ts'

/** What either way to run LXC containers offers. */
export type Driver = Omit<Required<Pick<Provider, DriverMethod>>, never>

type DriverMethod =
  | 'probe'
  | 'create'
  | 'inspect'
  | 'list'
  | 'start'
  | 'stop'
  | 'exec'
  | 'remove'
  | 'logs'
  | 'ports'
  | 'files'
  | 'metrics'
  | 'pause'
  | 'snapshots'
  | 'clone'
  | 'export'
  | 'resize'

/** Containers of a daemon of Incus or LXD, through the REST interface on its socket. */
export function createIncusDriver(settings: IncusSettings): Driver & { readonly dispose: () => void } {
  const session = createIncusSession(settings)
  return {
    dispose: session.dispose,
    probe: (ctx) => probeIncus(session, ctx),
    create: (spec, ctx) => createEnvironment(session, spec, ctx),
    inspect: (name, ctx) => inspectEnvironment(session, name, ctx),
    list: async (ctx) => (await session.list(ctx)).map((instance) => parseState(instance)),
    start: (name, ctx) => startEnvironment(session, name, ctx),
    stop: (name, options, ctx) => stopEnvironment(session, name, { options, ctx }),
    exec: async (name, request, ctx) => {
      assertNotAborted(ctx.signal)
      return execInside(session, await session.requireRunning(name, ctx), { request, ctx })
    },
    remove: (name, options, ctx) => removeEnvironment(session, name, { options, ctx }),
    logs: createLogs(session),
    ports: { list: async (name, ctx) => parseState(await session.require(name, ctx)).ports },
    files: createFiles(session),
    metrics: createMetrics(session),
    pause: createPause(session),
    snapshots: createSnapshots(session),
    clone: createClone(session),
    export: createExport(session),
    resize: createResize(session),
  }
}
