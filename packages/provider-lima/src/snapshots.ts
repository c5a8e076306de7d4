import { HolmError } from '@holm/core'
import type { ProviderContext, SnapshotInfo, SnapshotsFacet } from '@holm/core'
import { argv } from './argv.ts'
import { flush, killMachine } from './lifecycle.ts'
import { withLock } from './lock.ts'
import { snapshotTag } from './names.ts'
import { parseTags } from './parse.ts'
import type { Session } from './session.ts'
import { stateOf } from './state.ts'
import { requireStored, saveRecord, type Stored } from './store.ts'

interface Call {
  readonly session: Session
  readonly name: string
  readonly ctx: ProviderContext
}

/**
 * Lima's snapshots, which its qemu driver alone has. One of a running machine would hold its memory, too: files are what
 * was asked for, so it is put back while the machine is off, as after a power cut at that moment with everything written.
 */
export function createSnapshots(session: Session): SnapshotsFacet {
  const locked = async <T>(
    call: Omit<Call, 'session'>,
    action: (stored: Stored) => Promise<T>,
  ): Promise<T> => {
    await requireStored(session, call.name)
    return withLock(session, call.name, async () => {
      const stored = await requireStored(session, call.name)
      assertQemu(stored)
      return action(stored)
    })
  }
  return {
    create: (name, snapshot, ctx) =>
      locked({ name, ctx }, (stored) => saveSnapshot({ session, name, ctx }, stored, snapshot)),
    list: async (name) => listSnapshots(await requireStored(session, name)),
    restore: (name, snapshot, ctx) =>
      locked({ name, ctx }, async (stored) => {
        const { tag } = requireSnapshot(stored, snapshot)
        const { status } = await stateOf(session, stored, ctx)
        if (status !== 'stopped') await killMachine({ session, name, ctx }, stored)
        await act({ session, name, ctx }, { stored, action: 'apply', tag })
        return stateOf(session, stored, ctx)
      }),
    remove: (name, snapshot, ctx) =>
      locked({ name, ctx }, async (stored) => {
        const found = stored.record.snapshots[snapshot]
        if (found === undefined) return
        await act({ session, name, ctx }, { stored, action: 'delete', tag: found.tag })
        const { [snapshot]: _, ...snapshots } = stored.record.snapshots
        await saveRecord(session, { ...stored, record: { ...stored.record, snapshots } }, ctx)
      }),
  }
}

async function saveSnapshot(call: Call, stored: Stored, snapshot: string): Promise<SnapshotInfo> {
  const { session, name, ctx } = call
  if (stored.record.snapshots[snapshot] !== undefined) {
    throw new HolmError('HOLM_ENVIRONMENT_CONFLICT', `${name} has a snapshot "${snapshot}" already`, {
      hint: 'Choose another name, or remove that one.',
    })
  }
  const tag = snapshotTag(snapshot)
  if ((await stateOf(session, stored, ctx)).status === 'running') await flush(call)
  // QEMU keeps two of one tag: what a killed holm left goes first.
  if ((await listTags(call, stored)).includes(tag)) await act(call, { stored, action: 'delete', tag })
  await act(call, { stored, action: 'create', tag })
  const snapshots = { ...stored.record.snapshots, [snapshot]: { tag, createdAt: new Date().toISOString() } }
  const saved = await saveRecord(session, { ...stored, record: { ...stored.record, snapshots } }, ctx)
  return describe(saved, snapshot)
}

async function listTags({ session, name, ctx }: Call, { instance }: Stored): Promise<readonly string[]> {
  const request = { argv: argv.snapshots(instance), action: `list the snapshots of ${name}` }
  return parseTags((await session.run({ ...request, environment: name }, ctx)).stdout)
}

interface Act {
  readonly stored: Stored
  readonly action: 'create' | 'apply' | 'delete'
  readonly tag: string
}

async function act({ session, name, ctx }: Call, { stored, action, tag }: Act): Promise<void> {
  const request = {
    argv: argv.snapshot(action, stored.instance, tag),
    action: `${action} a snapshot of ${name}`,
  }
  await session.run({ ...request, environment: name, timeoutMs: 10 * 60_000 }, ctx)
}

function assertQemu({ record }: Stored): void {
  if (record.vmType === 'qemu') return
  throw new HolmError(
    'HOLM_PROVIDER_UNAVAILABLE',
    `Lima has snapshots with its qemu driver only, and ${record.name} runs on ${record.vmType}`,
    { hint: 'Set providers.lima.vmType to qemu and make the environment again.' },
  )
}

function requireSnapshot({ record }: Stored, snapshot: string): { readonly tag: string } {
  const found = record.snapshots[snapshot]
  if (found) return found
  throw new HolmError('HOLM_USAGE', `${record.name} has no snapshot "${snapshot}"`, {
    hint: `It has: ${Object.keys(record.snapshots).join(', ') || 'none'}.`,
  })
}

function listSnapshots(stored: Stored): readonly SnapshotInfo[] {
  return Object.keys(stored.record.snapshots).map((snapshot) => describe(stored, snapshot))
}

function describe({ record }: Stored, snapshot: string): SnapshotInfo {
  const createdAt = record.snapshots[snapshot]?.createdAt ?? record.createdAt
  return { name: snapshot, environment: record.name, createdAt, includesMemory: false }
}
