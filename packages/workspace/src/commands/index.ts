import type { PluginCommand, WorkspaceCommand } from './command.ts'
import { create } from './create.ts'
import { merge, prune, remove } from './end.ts'
import { exec, logs, shell, start, stop } from './enter.ts'
import { portForward, portOpen } from './forward.ts'
import { watchIdleCommand } from './idle.ts'
import { diff, list, show } from './look.ts'
import { open } from './open.ts'
import { portList, proxy } from './ports.ts'
import { rename } from './rename.ts'
import { serviceList, serviceLogs, serviceRestart, serviceStart, serviceStop } from './services.ts'
import { sshConfig, sshProxy } from './ssh.ts'
import { use } from './use.ts'
import { sync, syncBack, watchBack } from './sync.ts'
import { watch } from './watch.ts'
import { run, spawn, teardown } from './workers.ts'

/** In the order of the help; the manifest's table is generated from it. */
export const commands: readonly WorkspaceCommand[] = [
  create,
  list,
  show,
  exec,
  shell,
  logs,
  start,
  stop,
  diff,
  merge,
  remove,
  prune,
  serviceList,
  serviceStart,
  serviceStop,
  serviceRestart,
  serviceLogs,
  portList,
  portForward,
  proxy,
  spawn,
  run,
  teardown,
  watch,
]

export const pluginCommands: readonly PluginCommand[] = [
  rename,
  open,
  use,
  portOpen,
  sync,
  syncBack,
  watchBack,
  sshConfig,
  sshProxy,
  watchIdleCommand,
]

/** What the manifest lists. */
export const tables = [...commands, ...pluginCommands].map(({ run: _run, ...table }) => table)

/** Commands after which there may be more to be put to sleep. */
export const bringing: ReadonlySet<string> = new Set([create.id, start.id, spawn.id])
