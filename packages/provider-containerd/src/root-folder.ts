import { stat } from 'node:fs/promises'
import type { Runner } from '@holm/core'
import { unpackJson } from './api.ts'
import type { Client } from './client.ts'
import type { Environment, Target } from './environment.ts'
import { mountSnapshot, unmount } from './mounted.ts'
import type { OciMount, OciSpec } from './oci-spec.ts'
import { filesOf } from './record.ts'
import { resolveInside } from './rootfs-path.ts'
import { ensureSnapshot } from './snapshot-files.ts'

export interface OpenedRoot {
  /** The environment's root filesystem on this machine. */
  readonly root: string
  close(): Promise<void>
}

/** The kernel's view of a running one; a mount of its own of a stopped one. Its volumes and bind mounts are in it, for `own` they need not be. */
export async function openRoot(
  client: Client,
  found: Environment,
  { ctx, own = false }: Pick<Target, 'ctx'> & { readonly own?: boolean },
): Promise<OpenedRoot> {
  const { task, record } = found
  if (task && ['RUNNING', 'PAUSED', 'PAUSING'].includes(task.status))
    return { root: `/proc/${task.pid}/root`, close: () => Promise.resolve() }
  const mounts = await ensureSnapshot(client, found)
  const root = await mountSnapshot({ mounts, below: filesOf(record.folder).mounts, runner: ctx.runner })
  try {
    if (!own) for (const mount of bindsOf(found)) await bindInto(root, mount, ctx.runner)
  } catch (error) {
    await unmount(root, ctx.runner)
    throw error
  }
  return { root, close: () => unmount(root, ctx.runner) }
}

/** Mounts of folders that the blueprint asked for. */
function bindsOf({ container, record }: Environment): readonly OciMount[] {
  const { mounts } = unpackJson(container.spec) as OciSpec
  const sources = new Set([...record.binds, ...record.volumes.map(({ folder }) => folder)])
  return mounts.filter(({ type, source }) => type === 'bind' && sources.has(source))
}

/** Left out when there is nothing to be seen, or no place for it before the first start. */
async function bindInto(root: string, { source, destination }: OciMount, runner: Runner): Promise<void> {
  const target = await resolveInside(root, destination)
  const exists = await stat(source).catch(() => undefined)
  if (target !== undefined && exists)
    await runner.run(['mount', '--bind', '--', source, target], { timeoutMs: 30_000 })
}
