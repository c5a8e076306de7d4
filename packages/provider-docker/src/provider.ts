import type { Provider, Traits } from '@holm/core'
import { cloneFacet } from './clone.ts'
import { createEnvironment } from './create.ts'
import type { Engine } from './engine.ts'
import { startExec } from './exec.ts'
import { exportFacet } from './export.ts'
import { filesFacet } from './files.ts'
import { imagesFacet, prepareBase } from './images.ts'
import {
  inspectEnvironment,
  listEnvironments,
  removeEnvironment,
  requireContainer,
  startEnvironment,
  stopEnvironment,
} from './lifecycle.ts'
import { logsFacet } from './logs.ts'
import { metricsFacet } from './metrics.ts'
import { optionsSchema } from './options.ts'
import { parsePorts, providerId } from './parse.ts'
import { pauseFacet } from './pause.ts'
import { probeEngine } from './probe.ts'
import { resizeFacet } from './resize.ts'
import { snapshotsFacet } from './snapshots.ts'

export const traits: Traits = {
  isolation: 'container',
  rootless: false,
  bases: ['image', 'build', 'rootfs', 'folder'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: ['cpus', 'memory', 'disk', 'pids'],
  networks: ['default', 'none', 'host', 'named'],
  mapsPorts: true,
  companions: true,
  nestedDocker: true,
}

/** Does no I/O: the engine is first spoken to by the first call. */
export function createProvider(engine: Engine): Provider {
  return {
    id: providerId,
    traits,
    optionsSchema,
    probe: (ctx, options) => probeEngine(engine, ctx, options),
    create: (spec, ctx) => createEnvironment(engine, { spec }, ctx),
    inspect: (name, ctx) => inspectEnvironment({ engine, name, ctx }),
    list: (ctx) => listEnvironments(engine, ctx),
    start: (name, ctx) => startEnvironment({ engine, name, ctx }),
    stop: (name, options, ctx) => stopEnvironment({ engine, name, ctx }, options),
    exec: (name, request, ctx) => startExec(engine, name, { request, ctx }),
    remove: (name, options, ctx) => removeEnvironment({ engine, name, ctx }, options),
    logs: logsFacet(engine),
    ports: {
      list: (name, ctx) =>
        engine.use({ ctx, action: `list the ports of ${name}`, environment: name }, async (docker) => {
          const info = await requireContainer(docker, { engine, name, ctx })
          return info.State.Running ? parsePorts(info.NetworkSettings.Ports) : []
        }),
    },
    files: filesFacet(engine),
    metrics: metricsFacet(engine),
    pause: pauseFacet(engine),
    images: imagesFacet(engine),
    build: { build: (base, ctx) => prepareBase(engine, base, ctx) },
    snapshots: snapshotsFacet(engine),
    clone: cloneFacet(engine),
    export: exportFacet(engine),
    resize: resizeFacet(engine),
  }
}
