import { isHolmError } from '@holm/core'
import type { Client } from './client.ts'
import { findEnvironment } from './environment.ts'
import type { Environment, Target } from './environment.ts'
import { tryEnvironmentLock } from './locks.ts'
import { tellNeighbours } from './neighbours.ts'
import { detachNetwork } from './network.ts'
import { releasePorts } from './ports.ts'
import { loadRun, saveRun } from './run-record.ts'

/**
 * Lets go of the address and the ports of an environment whose main process ended by itself. Called by whoever sees it, for until its next
 * start nobody else would, and its ports would go on leading nowhere.
 */
export async function releaseEnded(client: Client, target: Target, found: Environment): Promise<void> {
  if (!(await holdsNetwork(found))) return
  const { engine, name, ctx } = target
  try {
    await tryEnvironmentLock(target, async () => {
      const again = await findEnvironment(client, name)
      const held = again && (await holdsNetwork(again))
      if (!held) return
      const { cniId, address, ports, startedAt } = held
      const { folder, network } = again.record
      if (cniId !== undefined) await detachNetwork({ engine, network, cniId, address, ports, ctx })
      await releasePorts({ engine, folder }, ports)
      await saveRun(folder, { startedAt, ports: [] })
      await tellNeighbours(client, { engine, network, ctx })
    })
  } catch (error) {
    // The question was what is there; a stop or the next start tries it again.
    if (!isHolmError(error)) throw error
    ctx.log.debug(`the address of ${name} was not let go: ${error.message}`)
  }
}

/** The record of its run, where nothing runs any more and something is still held. */
async function holdsNetwork({ task, record }: Environment): ReturnType<typeof loadRun> {
  if (task !== undefined && task.status !== 'STOPPED') return undefined
  const run = await loadRun(record.folder)
  return run && (run.cniId !== undefined || run.ports.length > 0) ? run : undefined
}
