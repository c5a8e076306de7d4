import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProviderContext } from '@holm/core'
import { sendSignal } from '../processes.ts'

export interface ListedProcess {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** Time of its start, to the second, as ps says. */
  readonly start: string
}

/** Leaders of process groups that were started for an environment: number to time of start. */
export type Leaders = ReadonlyMap<number, string>

/** The same words for one moment on every machine. */
const psEnv = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' }

/** Notes its own number and start in folder $1, and becomes the rest: what is not noted is never started. */
export const noteScript = 'LC_ALL=C TZ=UTC /bin/ps -o lstart= -p $$ >"$1/$$" || exit 126; shift; exec "$@"'

export async function loadProcesses(ctx: ProviderContext): Promise<ListedProcess[]> {
  const { stdout } = await ctx.runner.run(['/bin/ps', '-axo', 'pid=,ppid=,pgid=,stat=,lstart='], {
    env: psEnv,
  })
  return parseProcesses(stdout)
}

/** Zombies are left out: they are dead. */
export function parseProcesses(text: string): ListedProcess[] {
  return text.split('\n').flatMap((line) => {
    const [, pid, parent, group, state = '', start = ''] =
      /^ *(\d+) +(\d+) +(\d+) +(\S+) +(.*\S) *$/.exec(line) ?? []
    if (pid === undefined || state.startsWith('Z')) return []
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), start: normalise(start) }]
  })
}

/** The first process of the machine starts with it: another start is another boot. */
export function bootOf(processes: readonly ListedProcess[]): string {
  return processes.find(({ pid }) => pid === 1)?.start ?? ''
}

export async function loadLeaders(folder: string): Promise<Leaders> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => /^\d+$/.test(name))
  const starts = names.map(async (name) => {
    const start = await readFile(path.join(folder, name), 'utf8').catch(() => '')
    return [Number(name), normalise(start)] as const
  })
  return new Map(await Promise.all(starts))
}

function normalise(start: string): string {
  return start.trim().replaceAll(/ +/g, ' ')
}

/**
 * Processes of the leaders' groups, and what descends from them. A number that another process has by now is not
 * ours; a group keeps its number from being given again as long as one of it lives.
 */
export function findOwn(leaders: Leaders, processes: readonly ListedProcess[]): ListedProcess[] {
  const recycled = new Set(
    processes
      .filter(({ pid, start }) => leaders.has(pid) && leaders.get(pid) !== start)
      .map(({ pid }) => pid),
  )
  const own = new Map(
    processes
      .filter(({ group }) => leaders.has(group) && !recycled.has(group))
      .map((process) => [process.pid, process]),
  )
  for (let before = -1; before !== own.size;) {
    before = own.size
    for (const process of processes) if (own.has(process.parent)) own.set(process.pid, process)
  }
  return [...own.values()]
}

/** SIGTERM to all, after the grace SIGKILL, until none is left. */
export async function endProcesses(folder: string, graceMs: number, ctx: ProviderContext): Promise<void> {
  const left = async (): Promise<ListedProcess[]> => {
    const leaders = await loadLeaders(folder)
    return leaders.size === 0 ? [] : findOwn(leaders, await loadProcesses(ctx))
  }
  const until = Date.now() + graceMs
  if (graceMs > 0) for (const { pid } of await left()) sendSignal(pid, 'SIGTERM')
  for (let found = await left(); found.length > 0; found = await left()) {
    if (Date.now() >= until) for (const { pid } of found) sendSignal(pid, 'SIGKILL')
    await sleep(20)
  }
}
