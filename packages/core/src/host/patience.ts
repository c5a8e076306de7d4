import { setTimeout as sleep } from 'node:timers/promises'
import { abortError, assertNotAborted, isHolmError } from '../errors.ts'
import type { HostContext } from './context.ts'
import type { Operation } from './operation.ts'

export interface PatientLock {
  readonly host: HostContext
  readonly name: string
  /** What the holder does, for others to read. */
  readonly work: string
  readonly operation: Operation
}

const pollMs = 200

/** Holds the lock, waiting for another holder for as long as the caller does: its work may take minutes and serves us, too. */
export async function holdPatiently<T>(
  { host, name, work, operation }: PatientLock,
  action: () => Promise<T>,
): Promise<T> {
  for (let told = false; ; told = true) {
    assertNotAborted(operation.signal)
    const holder = host.state.locks.holder(name)
    const done = holder === undefined ? await tryHold({ host, name, work, operation }, action) : undefined
    if (done) return done.result
    if (holder && !told)
      operation.context.progress({ message: `waiting for process ${holder.pid}: ${holder.operation}` })
    await sleep(pollMs, undefined, { signal: operation.signal }).catch(() => {
      throw abortError(operation.signal)
    })
  }
}

/** Undefined when somebody was quicker between the look and the grasp. */
async function tryHold<T>(
  { host, name, work }: PatientLock,
  action: () => Promise<T>,
): Promise<{ result: T } | undefined> {
  try {
    return { result: await host.state.locks.hold(name, work, action) }
  } catch (error) {
    // A lock of another name is the action's own affair.
    if (isHolmError(error, 'HOLM_ENVIRONMENT_BUSY') && error.details?.['name'] === name) return undefined
    throw error
  }
}
