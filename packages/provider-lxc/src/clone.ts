import { existsSync } from 'node:fs'
import { mkdir, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { assertNotAborted } from '@holm/core'
import type { CloneFacet, EnvironmentSpec, EnvironmentState, ProviderContext } from '@holm/core'
import { findMonitor } from './container.ts'
import { tellFullDisk } from './files-on-disk.ts'
import { canFreeze, freezeUpper, makeLayer } from './layers.ts'
import { claim, draftRecord, fillClaimed, loadWhole } from './lifecycle.ts'
import type { LxcRecord } from './record.ts'
import { assertSupported, listIgnored } from './requirements.ts'
import type { Session } from './session.ts'
import { ownFolder } from './snapshots.ts'
import { copyTree } from './trees.ts'

/** Many may be made of one origin at once; each waits for the others' turn. */
const waitMs = 600_000

/**
 * Of a stopped origin a clone costs a rename: what the origin has written becomes a layer that both stand on, and each goes on in an empty
 * one of its own. What a running origin has written is copied.
 */
export function createClone(session: Session): CloneFacet {
  const { caller } = session.settings
  return {
    clone: async (name, spec, ctx) => {
      assertNotAborted(ctx.signal)
      assertSupported(spec, caller)
      session.folder(spec.name)
      await session.require(name)
      for (const each of listIgnored(spec, caller)) ctx.log.warn(`${spec.name}: ${each}`)
      return tellFullDisk(() =>
        session.locked(name, { waitMs, ctx }, () => cloneLocked(session, { name, spec }, ctx)),
      )
    },
  }
}

async function cloneLocked(
  session: Session,
  { name, spec }: { readonly name: string; readonly spec: EnvironmentSpec },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const from = session.folder(name)
  const cold = findMonitor(from) === undefined
  // The layers of the origin are in use by the clone before anybody can find them unused.
  const { origin, draft, found } = await session.lockedLayers(ctx, async () => {
    const whole = await loadWhole(session, name, ctx)
    const origin = cold && canFreeze(whole) ? await freezeUpper(session, whole) : whole
    const draft = describe(session, origin, spec)
    return { origin, draft, found: await claim(session, draft, ctx) }
  })
  if (found !== undefined) return found
  return fillClaimed(session, draft, {
    ctx,
    fill: async (folder) => {
      const own = ownFolder(origin)
      await makeLayer(folder, origin.layers)
      if (!(cold && canFreeze(origin))) {
        await rmdir(path.join(folder, own))
        await copyTree({ source: path.join(from, own), target: path.join(folder, own) }, session.trees, ctx)
      }
      await cloneVolumes(session, { origin, draft, from, folder }, ctx)
      return draft
    },
  })
}

/** The files decide: layers, their owners and the base are the origin's. All else is as the new spec says. */
function describe(session: Session, origin: LxcRecord, spec: EnvironmentSpec): LxcRecord {
  const { idMap: _idMap, ...draft } = draftRecord(session, spec)
  const { base, layering, layers } = origin
  return { ...draft, base, layering, layers, ...(origin.idMap === undefined ? {} : { idMap: origin.idMap }) }
}

interface VolumePlaces {
  readonly origin: LxcRecord
  readonly draft: LxcRecord
  readonly from: string
  readonly folder: string
}

/** Anonymous volumes that lie at the same place in both. */
async function cloneVolumes(
  session: Session,
  { origin, draft, from, folder }: VolumePlaces,
  ctx: ProviderContext,
): Promise<void> {
  const anonymous = (record: LxcRecord): [target: string, index: number][] =>
    record.mounts.flatMap((mount, index): [string, number][] =>
      mount.type === 'volume' && mount.source === undefined ? [[mount.target, index]] : [],
    )
  const places = new Map(anonymous(origin))
  for (const [target, index] of anonymous(draft)) {
    const source = path.join(from, 'volumes', String(places.get(target)))
    if (!existsSync(source)) continue
    await mkdir(path.join(folder, 'volumes'), { recursive: true, mode: 0o711 })
    await copyTree({ source, target: path.join(folder, 'volumes', String(index)) }, session.trees, ctx)
  }
}
