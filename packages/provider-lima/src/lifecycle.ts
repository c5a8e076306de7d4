import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { HolmError, assertNotAborted } from '@holm/core'
import type { EnvironmentState, ProviderContext, StopOptions } from '@holm/core'
import { argv } from './argv.ts'
import { discard, neverAborted } from './create.ts'
import { runInside } from './inside.ts'
import { isLocked, withLock } from './lock.ts'
import { claimPorts } from './ports.ts'
import { bootMs, makeReady } from './ready.ts'
import type { Session } from './session.ts'
import { absentState, stateOf, wordsOf } from './state.ts'
import { loadStored, requireStored, saveRecord, type Stored } from './store.ts'

export interface Target {
  readonly session: Session
  readonly name: string
  readonly ctx: ProviderContext
}

export async function startEnvironment(target: Target): Promise<EnvironmentState> {
  const { session, name } = target
  await requireStored(session, name)
  return withLock(session, name, () => startLocked(target))
}

/** For callers that hold the lock. */
export async function startLocked(target: Target): Promise<EnvironmentState> {
  const { session, name, ctx } = target
  const stored = await requireStored(session, name)
  const before = await stateOf(session, stored, ctx)
  assertStartable(before)
  const deadline = performance.now() + bootMs
  try {
    if (before.status !== 'running') await boot(target, stored, before)
    await makeReady(session, stored.record, { ctx, deadline })
  } catch (error) {
    // A machine that was up before is not taken away from whoever uses it.
    if (before.status !== 'running') await killMachine(target, stored)
    throw error
  }
  return stateOf(session, await requireStored(session, name), ctx)
}

function assertStartable({ name, status, reason }: EnvironmentState): void {
  if (status !== 'creating' && reason !== 'its creation was interrupted') return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${name} is not complete: ${reason ?? 'it is being made'}`, {
    hint: `Remove it with \`holm destroy ${name}\`, and make it again.`,
  })
}

async function boot(target: Target, stored: Stored, before: EnvironmentState): Promise<void> {
  const { session, name, ctx } = target
  // Half of it is dead (a killed host agent, a crashed machine): Lima starts it only after a clean end.
  if (before.status === 'failed') await killMachine(target, stored)
  const ports = await claimPorts(stored.record.ports)
  if (!isDeepStrictEqual(ports, stored.record.ports))
    await saveRecord(session, { ...stored, record: { ...stored.record, ports } }, ctx)
  ctx.progress({ message: `starting the virtual machine ${stored.instance}` })
  try {
    await session.run(
      {
        argv: argv.start(stored.instance, bootMs / 1000),
        action: `start ${name}`,
        environment: name,
        timeoutMs: bootMs + 30_000,
      },
      ctx,
    )
  } catch (error) {
    assertNotAborted(ctx.signal)
    await assertUp(target, stored, error)
  }
}

/** limactl gives up on a machine that is slow, or degraded: one that runs is waited for here. */
async function assertUp({ session, name, ctx }: Target, stored: Stored, error: unknown): Promise<void> {
  if ((await stateOf(session, stored, ctx)).status !== 'running')
    throw await withConsole(session, stored, error)
  ctx.log.warn(`${name}: ${wordsOf(error)}`)
}

/** A failed start is explained by what the machine last said. */
async function withConsole(session: Session, { instance }: Stored, error: unknown): Promise<unknown> {
  const file = path.join(session.folder(instance), 'ha.stderr.log')
  const text = await readFile(file, 'utf8').catch(() => '')
  const last = text.trim().split('\n').slice(-3).join('\n')
  if (last === '' || !(error instanceof HolmError)) return error
  return new HolmError(error.code, `${error.message}\n${last}`, {
    ...(error.hint !== undefined && { hint: error.hint }),
    cause: error,
  })
}

/** How much longer than its programs a machine may take to go down, milliseconds. */
const shutdownMs = 30_000

export async function stopEnvironment(target: Target, options: StopOptions): Promise<EnvironmentState> {
  const { session, name } = target
  if ((await loadStored(session, name)) === undefined) return absentState(name)
  return withLock(session, name, () => stopLocked(target, options))
}

export async function stopLocked(target: Target, { graceMs }: StopOptions): Promise<EnvironmentState> {
  const { session, name, ctx } = target
  const stored = await loadStored(session, name)
  if (stored === undefined) return absentState(name)
  const state = await stateOf(session, stored, ctx)
  if (state.status === 'running') await shutDown(target, stored, graceMs)
  else if (state.status === 'failed' && !stored.draft) await killMachine(target, stored)
  else return state
  return stateOf(session, stored, ctx)
}

/** The machine's own init ends its programs with SIGTERM. One that takes too long is switched off, its files written. */
async function shutDown(target: Target, stored: Stored, graceMs: number): Promise<void> {
  const { session, name, ctx } = target
  await flush(target)
  const action = `stop ${name}`
  await session
    .run(
      { argv: argv.stop(stored.instance), action, environment: name, timeoutMs: graceMs + shutdownMs },
      ctx,
    )
    .catch(async (error: unknown) => {
      assertNotAborted(ctx.signal)
      ctx.log.warn(`${name} is switched off: ${wordsOf(error)}`)
      await killMachine(target, stored)
    })
}

/** Milliseconds that writing to the virtual disk may take before a machine is switched off anyway. */
const flushMs = 10_000

export async function flush({ session, name, ctx }: Target): Promise<void> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(flushMs)])
  await runInside(session, name, { request: { script: 'sync' }, ctx: { ...ctx, signal } }).catch(
    () => undefined,
  )
  assertNotAborted(ctx.signal)
}

/** Like a power cut. Not under the caller's signal. */
export async function killMachine({ session, name, ctx }: Target, { instance }: Stored): Promise<void> {
  const request = { argv: argv.kill(instance), action: `switch off ${name}`, timeoutMs: 60_000 }
  await session.run({ ...request, environment: name }, { ...ctx, signal: neverAborted() })
}

export async function removeEnvironment(target: Target): Promise<void> {
  const { session, name, ctx } = target
  if ((await loadStored(session, name)) === undefined && !(await isLocked(session, name))) return
  await withLock(session, name, async () => {
    const stored = await loadStored(session, name)
    if (stored === undefined) return
    assertNotAborted(ctx.signal)
    await discard(session, stored, ctx)
  })
}

/** Runs `action` while it is up; one that was stopped is started for it and stopped again. */
export async function whileRunning<T>(target: Target, action: () => Promise<T>): Promise<T> {
  const { session, name, ctx } = target
  const stored = await requireStored(session, name)
  if ((await stateOf(session, stored, ctx)).status === 'running') return action()
  return withLock(session, name, async () => {
    await startLocked(target)
    try {
      return await action()
    } finally {
      await stopLocked({ ...target, ctx: { ...ctx, signal: neverAborted() } }, { graceMs: 10_000 })
    }
  })
}
