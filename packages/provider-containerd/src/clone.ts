import type { CloneFacet, EnvironmentState, ProviderContext, EnvironmentSpec } from '@holm/core'
import type { Client } from './client.ts'
import { commitFiles, untouchedParent } from './copies.ts'
import { createEnvironment } from './create.ts'
import type { Engine } from './engine.ts'
import { requireEnvironment } from './environment.ts'
import type { Environment, Target } from './environment.ts'
import type { PreparedBase } from './images.ts'
import { withLease } from './lease.ts'
import { withEnvironmentLock } from './locks.ts'
import { snapshotter } from './names.ts'
import { ensureSnapshot } from './snapshot-files.ts'

/** Copy-on-write: the clone stands on the layers of its origin. A stopped origin that wrote nothing since its last clone gives what it gave then. */
export function cloneFacet(engine: Engine): CloneFacet {
  return { clone: (name, spec, ctx) => cloneEnvironment({ engine, name, ctx }, spec) }
}

async function cloneEnvironment(target: Target, spec: EnvironmentSpec): Promise<EnvironmentState> {
  const { engine, name, ctx } = target
  return engine.use({ ctx, action: `clone ${name}`, environment: name }, async (client) => {
    const origin = await requireEnvironment(client, name)
    const base: PreparedBase = { ...origin.record.base, config: origin.record.config }
    return withLease(client, async (lease) => {
      const parent = await withEnvironmentLock(target, async () =>
        commitOrigin(client, { found: await requireEnvironment(client, name), lease, ctx }),
      )
      const prepare = async (key: string): Promise<void> => {
        await client.call('Snapshots.Prepare', { snapshotter, key, parent }, { lease })
      }
      return createEnvironment(engine, { spec, origin: { base, parent, prepare } }, ctx)
    })
  })
}

interface OriginRequest {
  readonly found: Environment
  readonly lease: string
  readonly ctx: ProviderContext
}

async function commitOrigin(client: Client, request: OriginRequest): Promise<string> {
  const mounts = await ensureSnapshot(client, request.found)
  const untouched = await untouchedParent(client, request.found, mounts)
  return untouched ?? commitFiles(client, { ...request, labels: {} })
}
