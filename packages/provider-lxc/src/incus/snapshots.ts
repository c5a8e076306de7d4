import { HolmError, assertNotAborted } from '@holm/core'
import type { CloneFacet, EnvironmentState, ProviderContext, SnapshotInfo, SnapshotsFacet } from '@holm/core'
import { isMissing } from './api-errors.ts'
import { assertPossible, findTaken, haltInstance, makeInstance, planInstance } from './lifecycle.ts'
import { decodeSnapshot, encodeSnapshot } from './names.ts'
import { createRecord, parseRecord } from './record.ts'
import { pathOf, type IncusSession } from './session.ts'
import { configure, describe } from './start.ts'
import { parseState } from './state.ts'

const copyMs = 600_000

interface Snapshot {
  readonly name: string
  readonly created_at: string
  readonly stateful: boolean
  readonly size?: number
}

/** The daemon's own; copy-on-write where its storage pool can. */
export function createSnapshots(session: IncusSession): SnapshotsFacet {
  const snapshotPath = (instance: string, snapshot: string): string =>
    pathOf(instance, `/snapshots/${encodeSnapshot(snapshot)}`)
  return {
    create: async (name, snapshot, ctx) => {
      assertNotAborted(ctx.signal)
      const instance = await session.require(name, ctx)
      return session.locked(name, ctx, async () => {
        if ((await listSnapshots(session, name, ctx)).some((each) => each.name === snapshot))
          throw taken(name, snapshot)
        const body = { name: encodeSnapshot(snapshot), stateful: false }
        await session
          .client()
          .change(
            { method: 'POST', path: pathOf(instance.name, '/snapshots'), body },
            { action: `save ${name}`, timeoutMs: copyMs },
          )
        const found = await session.client().get<Snapshot>(snapshotPath(instance.name, snapshot))
        return describeSnapshot(name, found)
      })
    },
    list: async (name, ctx) => {
      await session.require(name, ctx)
      return listSnapshots(session, name, ctx)
    },
    restore: async (name, snapshot, ctx) => {
      await session.require(name, ctx)
      return session.locked(name, ctx, () => restoreLocked(session, { name, snapshot }, ctx))
    },
    remove: async (name, snapshot, ctx) => {
      const instance = await session.require(name, ctx)
      await session
        .client()
        .change(
          { method: 'DELETE', path: snapshotPath(instance.name, snapshot) },
          { action: `remove the snapshot ${snapshot}`, timeoutMs: copyMs },
        )
        .catch((error: unknown) => {
          if (!isMissing(error)) throw error
        })
    },
  }
}

function taken(name: string, snapshot: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_CONFLICT', `${name} has a snapshot "${snapshot}" already`, {
    hint: `Choose another name, or remove it with \`holm snapshot remove ${name} ${snapshot}\`.`,
  })
}

async function listSnapshots(
  session: IncusSession,
  name: string,
  { signal }: ProviderContext,
): Promise<SnapshotInfo[]> {
  const found = await session
    .client()
    .get<readonly Snapshot[]>(pathOf(session.instance(name), '/snapshots?recursion=1'), { signal })
  return found.map((each) => describeSnapshot(name, each))
}

function describeSnapshot(environment: string, { name, created_at, size }: Snapshot): SnapshotInfo {
  const plain = decodeSnapshot(name.split('/').at(-1) ?? name)
  return {
    name: plain,
    environment,
    createdAt: created_at,
    includesMemory: false,
    ...(size !== undefined && size > 0 ? { sizeBytes: size } : {}),
  }
}

/** Only the files go back: what the environment is now said to be, it stays. */
async function restoreLocked(
  session: IncusSession,
  { name, snapshot }: { readonly name: string; readonly snapshot: string },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const instance = await session.require(name, ctx)
  if (!(await listSnapshots(session, name, ctx)).some((each) => each.name === snapshot))
    throw new HolmError('HOLM_USAGE', `${name} has no snapshot "${snapshot}"`, {
      hint: `Run \`holm snapshot list ${name}\`.`,
      details: { snapshot },
    })
  const record = parseRecord(instance)
  await haltInstance(session, instance, 2000)
  const body = { restore: encodeSnapshot(snapshot) }
  await session
    .client()
    .change(
      { method: 'PUT', path: pathOf(instance.name), body },
      { action: `restore ${name}`, timeoutMs: copyMs },
    )
  const restored = await session.require(name, ctx)
  // The network and the pool are where they were; the record is today's.
  await configure(
    session,
    restored,
    describe(session, {
      instance: { ...restored, devices: { ...restored.devices, ...instance.devices } },
      record,
    }),
  )
  return parseState(await session.require(name, ctx))
}

/** The daemon's copy: a snapshot where the pool is copy-on-write. A running origin is held still for the moment of the copy. */
export function createClone(session: IncusSession): CloneFacet {
  return {
    clone: async (name, spec, ctx) => {
      assertPossible(spec, ctx)
      const origin = await session.require(name, ctx)
      return session.locked(spec.name, ctx, async () => {
        const found = await findTaken(session, spec, ctx)
        if (found !== undefined) return found
        const record = createRecord(spec, session.logFile(spec.name))
        const { ids } = parseRecord(origin)
        const input = await planInstance(
          session,
          record.ids === 'mapped' && ids === 'same' ? { ...record, ids } : record,
          ctx,
        )
        const source = { type: 'copy', source: origin.name, instance_only: true, container_only: true }
        return makeInstance(session, { input, source, none: Object.keys(origin.devices) }, ctx)
      })
    },
  }
}
