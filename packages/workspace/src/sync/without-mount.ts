import type { HostApi, Resources, SpecOverlay } from '@holm/core'
import type { WorkspaceRecord } from '../record.ts'

/** Where the project would be mounted: there a workspace without a mount has its files. */
export async function folderInside(host: HostApi, { blueprint, path }: WorkspaceRecord): Promise<string> {
  const { spec } = await host.blueprints.show(blueprint, { cwd: path })
  const mount = spec.mounts.find((each) => each.type === 'bind' && each.source === spec.origin.project)
  return mount?.target ?? spec.exec.workdir ?? '/workspace'
}

/** The environment's own disk instead of the worktree, and nothing of the repository: not even git can reach this machine. */
export function syncedOverlay(
  { name }: WorkspaceRecord,
  folder: string,
  resources: Resources | undefined,
): SpecOverlay {
  return {
    mounts: [{ type: 'volume', target: folder, readonly: false }],
    env: { HOLM_WORKSPACE: name },
    bringsFiles: true,
    ...(resources && { resources }),
  }
}
