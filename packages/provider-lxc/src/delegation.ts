import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import type { CgroupMounts, Controller } from './cgroup.ts'
import { readText } from './processes.ts'

/** Whether the system handed the group that holm runs in over to this user, with the controller (systemd: `Delegate=yes`). */
export function isDelegated(mounts: CgroupMounts, controller: Controller): boolean {
  if (mounts.v2 === undefined) return false
  const own = /^0::(.*)$/m.exec(readText('/proc/self/cgroup'))?.[1]
  if (own === undefined) return false
  // LXC makes the container's group beside the one that it is in.
  const folder = path.join(mounts.v2.folder, path.dirname(own))
  return (
    hasWord(path.join(folder, 'cgroup.subtree_control'), controller) &&
    isWritable(path.join(folder, 'cgroup.procs'))
  )
}

function hasWord(file: string, word: string): boolean {
  return readText(file).split(/\s+/).includes(word)
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return true
  } catch {
    return false
  }
}
