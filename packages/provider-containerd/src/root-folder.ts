import type { Client } from './client.ts'
import type { Environment, Target } from './environment.ts'
import { mountSnapshot, unmount } from './mounted.ts'
import { filesOf } from './record.ts'
import { ensureSnapshot } from './snapshot-files.ts'

export interface OpenedRoot {
  /** The environment's root filesystem, with its mounts when it runs. */
  readonly root: string
  close(): Promise<void>
}

/** The kernel's view of a running one; a mount of its own of a stopped one. */
export async function openRoot(
  client: Client,
  found: Environment,
  { ctx }: Pick<Target, 'ctx'>,
): Promise<OpenedRoot> {
  const { task, record } = found
  if (task && ['RUNNING', 'PAUSED', 'PAUSING'].includes(task.status))
    return { root: `/proc/${task.pid}/root`, close: () => Promise.resolve() }
  const mounts = await ensureSnapshot(client, found)
  const root = await mountSnapshot({ mounts, below: filesOf(record.folder).mounts, runner: ctx.runner })
  return { root, close: () => unmount(root, ctx.runner) }
}
