import { readFile } from 'node:fs/promises'
import type { Client } from './client.ts'
import { isStatus } from './failure.ts'

export interface ExecProcess {
  readonly client: Client
  readonly containerId: string
  readonly execId: string
  /** On this machine. */
  readonly pid: number
}

/**
 * containerd signals one process, and a signal is for the whole group: an exec is the leader of its own session. So it is sent from
 * here, when it is certain that the id is still that program's; else by containerd.
 */
export async function signalExec(program: ExecProcess, signal: number): Promise<void> {
  const { client, containerId, execId, pid } = program
  if (await isInside(pid, containerId)) {
    try {
      process.kill(-pid, signal)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
    }
  }
  try {
    await client.call('Tasks.Kill', { containerId, execId, signal })
  } catch (error) {
    if (!isStatus(error, 'NOT_FOUND', 'FAILED_PRECONDITION') && !/already finished/.test(String(error)))
      throw error
  }
}

/** Its control group is its container's. */
async function isInside(pid: number, containerId: string): Promise<boolean> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  return new RegExp(`[-/]${containerId.replaceAll('.', '\\.')}$`, 'm').test(groups)
}
