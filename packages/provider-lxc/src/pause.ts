import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, notRunning } from '@holm/core'
import type { EnvironmentState, PauseFacet, ProviderContext } from '@holm/core'
import { groupOf, loadCgroupMounts } from './cgroup.ts'
import { findContainer, type Container } from './container.ts'
import { isAlive, readText, sendSignal } from './processes.ts'
import type { Session } from './session.ts'
import { isPaused, loadState } from './state.ts'
import { attachArgv } from './attach.ts'

const deadlineMs = 10_000

interface Target {
  readonly container: Container
  readonly ctx: ProviderContext
}

/** Freezes through control groups; without them, for an ordinary user, by stopping every program inside. */
export function createPause(session: Session): PauseFacet {
  const change = (name: string, ctx: ProviderContext, frozen: boolean): Promise<EnvironmentState> =>
    session.require(name).then(() =>
      session.locked(name, { waitMs: 20_000, ctx }, async () => {
        const record = await session.require(name)
        const container = findContainer(session.folder(name))
        if (container === undefined) throw notRunning(name)
        if (isPaused(container) !== frozen) await (frozen ? freeze : thaw)(session, name, { container, ctx })
        return loadState(record, session.folder(name))
      }),
    )
  return { pause: (name, ctx) => change(name, ctx, true), resume: (name, ctx) => change(name, ctx, false) }
}

async function freeze(session: Session, name: string, { container, ctx }: Target): Promise<void> {
  if (await setFreezer(container, true)) return
  await signalAll(session, name, { container, ctx, signal: 'STOP' })
  sendSignal(container.init.pid, 'SIGSTOP')
  await waitForState(container, true)
}

export async function thaw(session: Session, name: string, { container, ctx }: Target): Promise<void> {
  if (await setFreezer(container, false)) return
  sendSignal(container.init.pid, 'SIGCONT')
  await waitForState(container, false)
  await signalAll(session, name, { container, ctx, signal: 'CONT' })
}

/** False where there is no freezer that this user may use. */
async function setFreezer({ init }: Container, frozen: boolean): Promise<boolean> {
  const group = groupOf(init.pid, 'freezer', loadCgroupMounts())
  if (group === undefined) return false
  const [file, value, done] =
    group.version === 1
      ? ([
          'freezer.state',
          frozen ? 'FROZEN' : 'THAWED',
          new RegExp(`^${frozen ? 'FROZEN' : 'THAWED'}$`, 'm'),
        ] as const)
      : (['cgroup.freeze', frozen ? '1' : '0', new RegExp(`^frozen ${frozen ? 1 : 0}$`, 'm')] as const)
  try {
    writeFileSync(path.join(group.folder, file), value)
  } catch {
    return false
  }
  const answer = path.join(group.folder, group.version === 1 ? file : 'cgroup.events')
  const until = Date.now() + deadlineMs
  while (!done.test(readText(answer))) {
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `the control group ${group.folder} does not become ${value}`)
    await sleep(2)
  }
  return true
}

/** A signal is taken a moment after it was sent. */
async function waitForState(container: Container, frozen: boolean): Promise<void> {
  const until = Date.now() + deadlineMs
  while (isAlive(container.init) && isPaused(container) !== frozen) {
    if (Date.now() > until)
      throw new HolmError(
        'HOLM_TIMEOUT',
        `process ${container.init.pid} does not ${frozen ? 'stop' : 'go on'}`,
      )
    await sleep(1)
  }
}

/** From inside, where every program can be reached. */
async function signalAll(
  session: Session,
  name: string,
  target: Target & { readonly signal: string },
): Promise<void> {
  const script = 'kill "-$1" -1 2>/dev/null; :'
  const argv = [...attachArgv(session, name), '/bin/sh', '-c', script, 'sh', target.signal]
  await target.ctx.runner.run(argv, { env: session.env, timeoutMs: deadlineMs })
}
