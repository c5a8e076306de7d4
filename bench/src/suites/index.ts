import { clones, golden, restored } from './copies.ts'
import { exec } from './exec.ts'
import { lifecycle } from './lifecycle.ts'
import { list, listDocker } from './list.ts'
import { overhead } from './overhead.ts'
import { parallel } from './parallel.ts'
import { runtimes } from './runtimes.ts'
import { sandbox } from './sandbox.ts'
import type { Suite } from './suite.ts'
import { sync } from './sync.ts'
import { coldUp, warmUp } from './up.ts'
import { version } from './version.ts'
import { createWorkspace } from './workspaces-create.ts'
import { leases } from './workspaces-leases.ts'
import { forward } from './workspaces-ports.ts'

export type { Suite } from './suite.ts'

/** In the order in which they are run. */
export const suites: readonly Suite[] = [
  version,
  overhead,
  coldUp,
  warmUp,
  exec,
  lifecycle,
  parallel,
  list,
  listDocker,
  sandbox,
  runtimes,
  golden,
  clones,
  restored,
  createWorkspace,
  leases,
  forward,
  sync,
]
