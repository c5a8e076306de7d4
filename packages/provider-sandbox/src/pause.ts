import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, notRunning } from '@holm/core'
import type { PauseFacet } from '@holm/core'
import { parseCgroupMounts, removeGroupsWhenEmpty } from './cgroup.ts'
import { withLock } from './lock.ts'
import { listPorts } from './ports.ts'
import { listProcesses, loadStat, sendSignal } from './processes.ts'
import { saveRecord, type Holder, type SandboxRecord } from './record.ts'
import { groupName, type Session } from './session.ts'
import { isRunning, stateOf } from './state.ts'

/** Freezes with the freezer of version 1 where it can be used, else by stopping every process. */
export function createPause(session: Session): PauseFacet {
  const change = (
    name: string,
    action: (record: SandboxRecord & { readonly holder: Holder }) => Promise<SandboxRecord>,
  ) =>
    withLock(session.folder(name), name, async () => {
      const record = await session.require(name)
      if (!isRunning(record)) throw notRunning(name)
      const next = await action(record)
      if (next !== record) await saveRecord(session.folder(name), next)
      return stateOf(next, listPorts(next))
    })
  return {
    pause: (name) =>
      change(name, async (record) => {
        if (record.paused) return record
        const freezer = freezerFolder(groupName(session, name))
        // Written first: a killed holm leaves an environment that is known to be paused, and can be resumed.
        const paused: SandboxRecord = { ...record, paused: { freezer } }
        await saveRecord(session.folder(name), paused)
        await freeze(freezer, record.holder)
        return paused
      }),
    resume: (name) =>
      change(name, async (record) => {
        if (!record.paused) return record
        const { freezer } = record.paused
        thaw(freezer, record.holder)
        // Not worth a failure: what is left is empty, and the next pause takes it.
        if (freezer !== null) await removeGroupsWhenEmpty([freezer], 1000).catch(() => undefined)
        const { paused: _paused, ...rest } = record
        return rest
      }),
  }
}

function freezerFolder(group: string): string | null {
  const mount = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8')).v1.freezer
  if (mount === undefined) return null
  const folder = path.join(mount, 'holm', group)
  try {
    mkdirSync(folder, { recursive: true })
    return folder
  } catch {
    return null
  }
}

const deadlineMs = 5000

async function freeze(freezer: string | null, holder: Holder): Promise<void> {
  const until = Date.now() + deadlineMs
  if (freezer === null) {
    // Processes may fork while they are stopped one by one: again until none runs.
    while (stopAll(holder) > 0 && Date.now() < until) await sleep(2)
    return
  }
  while (moveAll(path.join(freezer, 'cgroup.procs'), holder) && Date.now() < until) await sleep(1)
  writeFileSync(path.join(freezer, 'freezer.state'), 'FROZEN')
  while (readFileSync(path.join(freezer, 'freezer.state'), 'utf8').trim() !== 'FROZEN') {
    if (Date.now() > until) throw new HolmError('HOLM_TIMEOUT', `not frozen within ${deadlineMs / 1000} s`)
    await sleep(2)
  }
}

/** True when a process had to be moved: there may be more. */
function moveAll(file: string, holder: Holder): boolean {
  const inside = new Set(readFileSync(file, 'utf8').split('\n').map(Number))
  const missing = listProcesses(holder.init.pid).filter((pid) => !inside.has(pid))
  for (const pid of missing) {
    try {
      writeFileSync(file, String(pid))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return missing.length > 0
}

function stopAll(holder: Holder): number {
  const running = listProcesses(holder.init.pid).filter(
    (pid) => pid !== holder.init.pid && !'TZX'.includes(loadStat(pid)?.state ?? 'X'),
  )
  for (const pid of running) sendSignal(pid, 'SIGSTOP')
  return running.length
}

/** Undoes `freeze`; nothing happens where nothing is frozen. */
export function thaw(freezer: string | null, holder: Holder): void {
  if (freezer === null) {
    const inside = listProcesses(holder.init.pid)
    for (const pid of inside) sendSignal(pid, 'SIGCONT')
    wakeWaiting(holder)
    return
  }
  writeFileSync(path.join(freezer, 'freezer.state'), 'THAWED')
  const top = path.join(path.dirname(path.dirname(freezer)), 'cgroup.procs')
  // A process that forks while it is moved leaves a child behind: again until none is found.
  for (let round = 0; moveAll(top, holder) && round < 100; round += 1);
}

/** nsenter, outside, stops itself when its program is stopped. Stopped, it would never reap that program. */
export function wakeWaiting(holder: Holder): void {
  const inside = new Set(listProcesses(holder.init.pid))
  const parents = new Set([...inside].map((pid) => loadStat(pid)?.parent ?? 0))
  for (const pid of parents) {
    if (pid > 1 && !inside.has(pid) && loadStat(pid)?.state === 'T') sendSignal(pid, 'SIGCONT')
  }
}
