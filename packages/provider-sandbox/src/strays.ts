import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError } from '@holm/core'
import type { EnvironmentState } from '@holm/core'
import { loadLimitFacts, planLimits, removeGroupsWhenEmpty } from './cgroup.ts'
import { identify, isAlive, sendSignal, type ProcessIdentity } from './processes.ts'
import { isName, type Layout } from './record.ts'
import { groupName, type Session } from './session.ts'

/**
 * Variable that the processes which keep an environment open are started with. Its value tells their environment where
 * every file of it is gone or damaged: the kernel keeps what a program was started with.
 */
const markVariable = 'HOLM_SANDBOX'

/** The folder itself is nothing that programs inside have to know. */
function markOf({ environments }: Layout, name: string): string {
  return `${createHash('sha256').update(environments).digest('hex').slice(0, 16)}/${name}`
}

export function markEnv(layout: Layout, name: string): Readonly<Record<string, string>> {
  return { [markVariable]: markOf(layout, name) }
}

/** Name of the environment to which the variables of a process (as /proc shows them) say that it belongs. */
export function parseMark(environ: string, layout: Layout): string | undefined {
  const start = `${markVariable}=${markOf(layout, '')}`
  return environ
    .split('\0')
    .find((each) => each.startsWith(start))
    ?.slice(start.length)
}

/** Processes that keep environments of this layout open, by name. What belongs to others cannot be read, and is none. */
export function listMarked(layout: Layout): ReadonlyMap<string, readonly ProcessIdentity[]> {
  const found = new Map<string, ProcessIdentity[]>()
  if (!existsSync('/proc/self/environ')) return found
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const name = parseMark(readEnviron(entry), layout)
    const process = name === undefined ? undefined : identify(Number(entry))
    if (name !== undefined && isName(name) && process) found.set(name, [...(found.get(name) ?? []), process])
  }
  return found
}

function readEnviron(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

/**
 * Looking at every process of a machine takes some milliseconds: who makes an environment does so only where one of its name was
 * started and never removed.
 */
export async function noteStart({ started }: Layout, name: string): Promise<void> {
  await mkdir(started, { recursive: true, mode: 0o700 })
  await writeFile(path.join(started, name), '', { mode: 0o600 })
}

export function wasStarted({ started }: Layout, name: string): boolean {
  return existsSync(path.join(started, name))
}

export async function forgetStart({ started }: Layout, name: string): Promise<void> {
  await rm(path.join(started, name), { force: true })
}

const deadlineMs = 10_000

/** Ends what runs of an environment without asking its record, and removes its control groups. */
export async function endMarked(session: Session, name: string): Promise<void> {
  const list = (): readonly ProcessIdentity[] => listMarked(session.layout).get(name) ?? []
  const until = Date.now() + deadlineMs
  if (list().length === 0) return
  const groups = groupsOf(session, name)
  for (const folder of groups) thawGroup(folder)
  for (let left = list(); left.length > 0; left = list().filter(isAlive)) {
    for (const { pid } of left) sendSignal(pid, 'SIGKILL')
    if (Date.now() > until)
      throw new HolmError(
        'HOLM_TIMEOUT',
        `processes of environment ${name} do not end: ${left.map(({ pid }) => pid).join(', ')}`,
      )
    await sleep(5)
  }
  await removeGroupsWhenEmpty(groups, deadlineMs)
}

/** Every group that a start or a pause of it could have made. */
function groupsOf(session: Session, name: string): string[] {
  const facts = loadLimitFacts(groupName(session, name), session.options.caller.uid)
  const { folders } = planLimits({ cpus: 1, memoryBytes: 1, pids: 1 }, facts)
  const freezer = facts.mounts.v1.freezer
  const all = freezer === undefined ? folders : [...folders, path.join(freezer, 'holm', facts.group)]
  return all.filter((folder) => existsSync(folder))
}

/** What is frozen cannot end. */
function thawGroup(folder: string): void {
  const file = path.join(folder, 'freezer.state')
  if (existsSync(file)) writeFileSync(file, 'THAWED')
}

/** What can be said of an environment whose record cannot be read. */
export function brokenState(name: string, reason: string): EnvironmentState {
  return { name, provider: 'sandbox', status: 'failed', reason, labels: {}, ports: [], limits: [] }
}

export const folderGone = 'its folder was removed outside holm, and its processes still run'
