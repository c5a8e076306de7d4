import { setTimeout as wait } from 'node:timers/promises'
import type { Client } from './client.ts'
import { isStatus } from './failure.ts'

export interface ProcessName {
  readonly containerId: string
  readonly execId?: string
}

/** How long a containerd that went away is waited for, milliseconds: programs go on without it, and it finds them again. */
export const absenceMs = 20_000

/**
 * Exit code of a process, whenever it ends; undefined after `timeoutMs`. containerd may be restarted meanwhile. What it no longer
 * knows has ended: 137, for only a kill takes a process and its supervisor at once.
 */
export async function awaitEnd(
  client: Client,
  process: ProcessName,
  timeoutMs = 0,
): Promise<number | undefined> {
  const deadline = timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs
  let awaySince: number | undefined
  for (;;) {
    const answer = await askEnd(client, process, deadline)
    if (typeof answer === 'number') return answer
    if (answer === 'late' || performance.now() >= deadline) return undefined
    awaySince ??= performance.now()
    if (performance.now() - awaySince > absenceMs) throw answer
    await wait(100)
  }
}

/** The exit code; 'late' when the deadline came first; an error when containerd is away. */
async function askEnd(
  client: Client,
  process: ProcessName,
  deadline: number,
): Promise<number | 'late' | Error> {
  const left = deadline - performance.now()
  if (left <= 0) return 'late'
  try {
    const options = { timeoutMs: Number.isFinite(left) ? Math.ceil(left) : 0 }
    return (await client.call('Tasks.Wait', process, options)).exitStatus
  } catch (error) {
    if (isStatus(error, 'DEADLINE_EXCEEDED') && Number.isFinite(left)) return 'late'
    if (isStatus(error, 'NOT_FOUND')) return 137
    if (isStatus(error, 'UNAVAILABLE', 'CANCELLED')) return error as Error
    throw error
  }
}
