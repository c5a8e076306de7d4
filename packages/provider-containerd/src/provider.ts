import type { Provider, Traits } from '@holm/core'
import { cloneFacet } from './clone.ts'
import { createEnvironment } from './create.ts'
import type { Engine } from './engine.ts'
import { inspectEnvironment, listEnvironments } from './look.ts'
import { startExec } from './exec.ts'
import { exportFacet } from './export.ts'
import { filesFacet } from './files.ts'
import { imagesFacet } from './images.ts'
import { logsFacet } from './logs.ts'
import { metricsFacet } from './metrics.ts'
import { optionsSchema } from './options.ts'
import { pauseFacet } from './pause.ts'
import { portsFacet } from './ports.ts'
import { probeEngine } from './probe.ts'
import { providerId } from './record.ts'
import { resizeFacet } from './resize.ts'
import { snapshotsFacet } from './snapshots.ts'
import { startEnvironment } from './start.ts'
import { removeEnvironment, stopEnvironment } from './stop.ts'

export const traits: Traits = {
  isolation: 'container',
  rootless: false,
  bases: ['rootfs', 'image'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: ['cpus', 'memory', 'pids'],
  networks: ['default', 'none', 'host', 'named'],
  mapsPorts: true,
}

/** Does no I/O: containerd is first spoken to by the first call. */
export function createProvider(engine: Engine): Provider {
  return {
    id: providerId,
    traits,
    optionsSchema,
    probe: (ctx) => probeEngine(engine, ctx),
    create: (spec, ctx) => createEnvironment(engine, { spec }, ctx),
    inspect: (name, ctx) => inspectEnvironment({ engine, name, ctx }),
    list: (ctx) => listEnvironments(engine, ctx),
    start: (name, ctx) => startEnvironment({ engine, name, ctx }),
    stop: (name, options, ctx) => stopEnvironment({ engine, name, ctx }, options),
    exec: (name, request, ctx) => startExec(engine, name, { request, ctx }),
    remove: (name, options, ctx) => removeEnvironment({ engine, name, ctx }, options),
    logs: logsFacet(engine),
    ports: portsFacet(engine),
    files: filesFacet(engine),
    metrics: metricsFacet(engine),
    pause: pauseFacet(engine),
    images: imagesFacet(engine),
    snapshots: snapshotsFacet(engine),
    clone: cloneFacet(engine),
    export: exportFacet(engine),
    resize: resizeFacet(engine),
  }
}
