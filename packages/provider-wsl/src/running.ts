import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { HolmError, assertNotAborted } from '@holm/core'
import type { EnvironmentState, ProviderContext } from '@holm/core'
import { passEnvironment, shellArgv } from './argv.ts'
import { identify } from './identity.ts'
import { terminate } from './lifecycle.ts'
import { planMounts, prepareMounts, releaseMounts } from './mounts.ts'
import { addProxies, listProxies, removeProxies } from './ports.ts'
import { saveRecord, type Holder, type WslRecord } from './record.ts'
import { holdScript, startScript, stopScript } from './scripts.ts'
import { assertReady, type Session } from './session.ts'
import { absentState, isHeld, stateOf } from './state.ts'
import { tidyContext } from './wait.ts'
import { callShell, runShell } from './wsl.ts'

/** How long the main process may take to come up, in tenths of a second: WSL may have to start its machine. */
const holdTenths = 600

export async function startEnvironment(
  session: Session,
  name: string,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  await session.require(name, ctx)
  return session.lock(name, ctx, async () => {
    assertNotAborted(ctx.signal)
    const record = await session.require(name, ctx)
    const seen = await session.look(ctx)
    const state = stateOf(record, seen)
    if (state.status === 'running') return state
    assertReady(record, state)
    // What somebody else started has neither our mounts nor our main process.
    if (seen.distributions.running.has(session.distribution(name))) await terminate(session, name, ctx)
    return bringUp(session, record, ctx)
  })
}

async function bringUp(
  session: Session,
  stopped: WslRecord,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  const folder = await session.folder(stopped.name, ctx)
  const layout = await session.layout(ctx)
  const { parsePath } = session.machine
  const { holder: _old, ...rest } = stopped
  const proxies = listProxies(stopped.ports)
  const record: WslRecord = proxies.length === 0 ? rest : { ...rest, proxies }
  try {
    // Written before they are made: rules of Windows outlive a killed holm.
    await saveRecord(folder, record)
    const plan = planMounts({ record, layout, namespace: session.options.namespace, parsePath })
    await prepareMounts(session, { record, plan }, ctx)
    await addProxies(session, proxies, ctx)
    const holder = await hold(session, record, ctx)
    const words = [holder.token, String(holdTenths), ...plan.words]
    const distribution = session.distribution(record.name)
    const doing = `bring up environment ${record.name}`
    await callShell(
      session.machine,
      { distribution, script: startScript, words, doing, timeoutMs: 2 * 60_000 },
      ctx,
    )
    const running: WslRecord = { ...record, holder }
    await saveRecord(folder, running)
    return session.stateWhen(running, 'running')
  } catch (error) {
    await bringDown(session, record, tidyContext(ctx))
    throw error
  }
}

/**
 * WSL ends a distribution some seconds after the last wsl.exe that was started for it. So one stays: it waits for the
 * main process, belongs to no terminal, outlives holm, and its output is the log.
 */
async function hold(session: Session, record: WslRecord, ctx: ProviderContext): Promise<Holder> {
  const { machine } = session
  const token = randomUUID()
  const distribution = session.distribution(record.name)
  const argv = shellArgv({ distribution, script: holdScript, words: ['holm-main', token] })
  const logFile = path.join(await session.folder(record.name, ctx), 'log')
  const child = await ctx.runner.spawn([machine.wsl, ...argv], {
    env: passEnvironment(machine.env, {}).env,
    ...(machine.distribution === undefined ? {} : { cwd: '/' }),
    detached: { logFile },
  })
  if (child.pid === undefined)
    throw new HolmError(
      'HOLM_ENVIRONMENT_FAILED',
      `wsl.exe for environment ${record.name} has no process id`,
      {
        hint: 'Start the environment again.',
      },
    )
  return { process: identify(machine.side, child.pid), token, startedAt: new Date().toISOString() }
}

/** Leaves nothing running or shown. Ports and mounts are taken back even where the distribution has ended by itself. */
async function bringDown(session: Session, record: WslRecord, ctx: ProviderContext): Promise<WslRecord> {
  await terminate(session, record.name, ctx)
  await releaseMounts(session, record, ctx)
  await removeProxies(session, record, ctx)
  const { holder: _holder, proxies: _proxies, ...stopped } = record
  await saveRecord(await session.folder(record.name, ctx), stopped)
  return stopped
}

export async function stopEnvironment(
  session: Session,
  { name, graceMs }: { readonly name: string; readonly graceMs: number },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  if ((await session.find(name, ctx)) === undefined) return absentState(name)
  return session.lock(name, ctx, async () => {
    const record = await session.require(name, ctx)
    const seen = await session.look(ctx)
    const distribution = session.distribution(name)
    const idle = !seen.distributions.running.has(distribution)
    if (idle && record.holder === undefined) return stateOf(record, seen)
    if (!idle && graceMs > 0 && isHeld(record, session.machine.side))
      await askToEnd(session, { name, graceMs }, ctx)
    return session.stateWhen(await bringDown(session, record, ctx), 'stopped')
  })
}

/** SIGTERM to all, and time to end. What WSL says of a distribution that ended meanwhile is no error. */
async function askToEnd(
  session: Session,
  { name, graceMs }: { readonly name: string; readonly graceMs: number },
  ctx: ProviderContext,
): Promise<void> {
  const words = [String(Math.max(1, Math.ceil(graceMs / 100)))]
  const distribution = session.distribution(name)
  const doing = `end the processes of environment ${name}`
  const timeoutMs = graceMs * 2 + 15_000
  await runShell(session.machine, { distribution, script: stopScript, words, doing, timeoutMs }, ctx).catch(
    (error: unknown) => {
      assertNotAborted(ctx.signal)
      ctx.log.debug(`${name}: ${String(error)}`)
    },
  )
}
