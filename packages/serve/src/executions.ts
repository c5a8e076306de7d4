import { setTimeout } from 'node:timers/promises'
import { HolmError } from '@holm/core'
import type { Process } from '@holm/core'
import type { MethodParams } from '@holm/sdk'
import { assertRoom, type Call, type Session } from './session.ts'

/** A program that was started over a connection. */
export interface Execution {
  readonly process: Process
  acknowledge(bytes: number): void
  /** SIGTERM, and when that is not enough SIGKILL; resolves when it is over. */
  end(): Promise<void>
}

/** Between SIGTERM and SIGKILL, milliseconds. */
const graceMs = 2000
/** Most bytes of output in one notification. */
const pieceBytes = 64 * 1024

type Params = MethodParams<'exec.start'>

export async function startExecution(params: Params, call: Call): Promise<{ execution: string }> {
  const { session } = call
  assertRoom('programs', session.executions, session.limits.executionsAtOnce)
  const id = session.newId()
  const { stdin, pty, timeoutMs, window, ...program } = params
  // The place is taken before anything is waited for.
  const opening = reserve(session, id)
  try {
    const life = new AbortController()
    const input = stdin === true || pty !== undefined ? 'pipe' : 'ignore'
    const process = await openProcess(call, { ...program, stdin: input, ...(pty && { pty }) }, life.signal)
    process.stdin?.on('error', () => undefined)
    const credit = createCredit(window, life.signal)
    const told = Promise.withResolvers<void>()
    const execution = createExecution(process, { life, credit, told: told.promise })
    session.executions.set(id, execution)
    opening.done()
    if (session.signal.aborted) await execution.end()
    const followed = { id, execution, life, credit, session, timeoutMs, told: told.promise }
    call.afterwards(() => void follow(followed).finally(told.resolve))
    return { execution: id }
  } catch (error) {
    opening.done()
    session.executions.delete(id)
    throw error
  }
}

/** Cancelling the call ends the start; afterwards the program lives on its own. */
async function openProcess(
  { backend, signal }: Call,
  request: Parameters<Call['backend']['host']['exec']>[0],
  life: AbortSignal,
): Promise<Process> {
  const process = await backend.host.exec({ ...request, signal: life })
  if (!signal.aborted) return process
  drop(process)
  throw new HolmError('HOLM_INTERRUPTED', 'the call was cancelled')
}

function drop(process: Process): void {
  process.stdout.resume()
  process.stderr.resume()
  process.exited.catch(() => undefined)
  void process.kill('SIGKILL').catch(() => undefined)
}

function reserve(session: Session, id: string): { done(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const pending: Execution = {
    get process(): Process {
      throw new HolmError('HOLM_ENVIRONMENT_NOT_RUNNING', `the program ${id} is being started`)
    },
    acknowledge: () => undefined,
    end: () => promise,
  }
  session.executions.set(id, pending)
  return { done: resolve }
}

interface Parts {
  /** Its end was told. */
  readonly told: Promise<void>
  readonly life: AbortController
  readonly credit: Credit
}

function createExecution(process: Process, { life, credit, told }: Parts): Execution {
  let ending: Promise<void> | undefined
  const end = async (): Promise<void> => {
    const over = process.exited.then(
      () => undefined,
      () => undefined,
    )
    // What nobody reads any more must not keep it from ending.
    credit.release()
    await process.kill('SIGTERM').catch(() => undefined)
    if (!(await within(over))) {
      await process.kill('SIGKILL').catch(() => undefined)
      life.abort(new HolmError('HOLM_INTERRUPTED', 'the connection is over'))
      await within(over)
    }
    // Whoever started it learns of its last words and its end, before the connection is closed.
    await within(told)
  }
  return {
    process,
    acknowledge: (bytes) => credit.give(bytes),
    end: () => (ending ??= end()),
  }
}

/** Whether it came to pass in a moment. */
async function within(awaited: Promise<void>): Promise<boolean> {
  const timer = new AbortController()
  try {
    const late = setTimeout(graceMs, false, { signal: timer.signal }).catch(() => false)
    return await Promise.race([awaited.then(() => true), late])
  } finally {
    timer.abort()
  }
}

interface Followed extends Parts {
  readonly id: string
  readonly execution: Execution
  readonly session: Session
  readonly timeoutMs: number | undefined
}

/** Sends what it writes and how it ends. */
async function follow({ id, execution, credit, session, timeoutMs }: Followed): Promise<void> {
  const { process } = execution
  let timedOut = false
  const timer =
    timeoutMs === undefined
      ? undefined
      : globalThis.setTimeout(() => {
          timedOut = true
          void execution.end()
        }, timeoutMs)
  const pump = async (name: 'stdout' | 'stderr'): Promise<void> => {
    for await (const chunk of process[name] as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        const piece = chunk.subarray(at, at + pieceBytes)
        await credit.take(piece.length)
        await session.calm()
        session.notify('exec.output', { execution: id, stream: name, data: piece.toString('base64') })
      }
    }
  }
  const silent = (): undefined => undefined
  const outputs = Promise.all([pump('stdout').catch(silent), pump('stderr').catch(silent)])
  const ended = await process.exited.then(
    ({ code, signal }) => ({ code, ...(signal !== undefined && { signal }) }),
    (error: unknown) => ({ code: 255, lost: error instanceof Error ? error.message : String(error) }),
  )
  clearTimeout(timer)
  await outputs
  session.executions.delete(id)
  session.notify('exec.ended', { execution: id, ...ended, timedOut })
}

interface Credit {
  /** Waits until so many bytes may be sent. */
  take(bytes: number): Promise<void>
  give(bytes: number): void
  /** Nothing waits any more. */
  release(): void
}

/** At most `window` bytes are on their way, and what was taken last. */
export function createCredit(window: number | undefined, signal: AbortSignal): Credit {
  const state = { open: 0, released: window === undefined }
  let wake: (() => void)[] = []
  const look = (): void => {
    const waiting = wake
    wake = []
    for (const resume of waiting) resume()
  }
  const release = (): void => {
    state.released = true
    look()
  }
  signal.addEventListener('abort', release, { once: true })
  return {
    async take(bytes) {
      while (!state.released && state.open >= (window ?? 0))
        await new Promise<void>((resolve) => wake.push(resolve))
      state.open += bytes
    },
    give(bytes) {
      state.open = Math.max(0, state.open - bytes)
      look()
    },
    release,
  }
}
