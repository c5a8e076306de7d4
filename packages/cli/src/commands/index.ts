import type { BuiltinCommand } from '../builtin.ts'
import { exportCommand, importCommand } from './archive.ts'
import { baseAdd, baseBuild, baseImport, baseList, baseRemove } from './base.ts'
import { blueprintList, blueprintShow, blueprintValidate } from './blueprint.ts'
import { build } from './build.ts'
import { check } from './check.ts'
import { clone } from './clone.ts'
import { createComplete } from './complete.ts'
import { completion } from './completion.ts'
import { configGet, configList, configSet } from './config.ts'
import { destroy } from './destroy.ts'
import { doctor } from './doctor.ts'
import { events } from './events.ts'
import { exec } from './exec.ts'
import { imageList, imagePrune, imageRemove, imageShow } from './image.ts'
import { init } from './init.ts'
import { list } from './list.ts'
import { logs } from './logs.ts'
import { pluginsInstall, pluginsLink, pluginsList, pluginsNew, pluginsRemove } from './plugins.ts'
import { providerList, providerShow } from './provider.ts'
import { resize } from './resize.ts'
import { shell } from './shell.ts'
import { snapshotCreate, snapshotList, snapshotRemove, snapshotRestore } from './snapshot.ts'
import { start } from './start.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { update } from './update.ts'
import { up } from './up.ts'
import { version } from './version.ts'

/** Every built-in command, in the order of the help. Their code is small; what is heavy they import when they run. */
export const builtins: readonly BuiltinCommand[] = [
  init,
  up,
  list,
  status,
  exec,
  shell,
  check,
  logs,
  start,
  stop,
  destroy,
  update,
  resize,
  events,
  clone,
  snapshotCreate,
  snapshotList,
  snapshotRestore,
  snapshotRemove,
  build,
  imageList,
  imageShow,
  imageRemove,
  imagePrune,
  exportCommand,
  importCommand,
  blueprintList,
  blueprintShow,
  blueprintValidate,
  baseList,
  baseAdd,
  baseImport,
  baseBuild,
  baseRemove,
  providerList,
  providerShow,
  configList,
  configGet,
  configSet,
  doctor,
  pluginsList,
  pluginsInstall,
  pluginsLink,
  pluginsRemove,
  pluginsNew,
  completion,
  version,
  createComplete(() => builtins),
]
