import { setTimeout } from 'node:timers/promises'
import { isHolmError } from '@holm/core'
import type { CommandInput, HostApi, Table } from '@holm/core'
import type { WorkspaceInfo, Workspaces } from '../api.ts'
import type { WorkspaceCommand } from './command.ts'

/** A workspace as the table shows it; null where nothing is known. */
interface Watched {
  readonly name: string
  readonly status: string
  readonly cpuPercent: number | null
  readonly memoryBytes: number | null
  readonly branch: string
  readonly changed: number
  readonly lastLine: string | null
}

const intervalMs = 2000

export const watch: WorkspaceCommand = {
  id: 'watch',
  summary: 'Show all workspaces as they are, until you leave.',
  description:
    'At a terminal a table with keys: arrows choose a workspace, Enter or e enters it, s stops it, u starts it, d shows what it changed, q leaves. ' +
    'Elsewhere a line for each workspace that changed, with --json an object, until Ctrl-C.',
  examples: [{ command: 'holm watch', description: 'Who works, who waits, and on what.' }],
  async run(input, workspaces) {
    const read = () => readAll(input, workspaces)
    return {
      data: changes(read, input.signal),
      exitCode: 0,
      live: {
        intervalMs,
        read: async () => tableOf(await read()),
        keys: [
          { key: 'e', label: 'enter', isDefault: true, next: (name) => ['workspace', 'shell', name] },
          { key: 's', label: 'stop', next: (name) => ['workspace', 'stop', name] },
          { key: 'u', label: 'start', next: (name) => ['workspace', 'start', name] },
          { key: 'd', label: 'diff', next: (name) => ['workspace', 'diff', name] },
        ],
      },
    }
  },
}

async function readAll({ host, signal }: CommandInput, workspaces: Workspaces): Promise<Watched[]> {
  const all = await workspaces.list({ signal })
  return Promise.all(all.map((info) => watchedOf(host, info, signal)))
}

async function watchedOf(host: HostApi, info: WorkspaceInfo, signal: AbortSignal): Promise<Watched> {
  const { name, status, branch, changed, problem } = info
  const runs = status === 'running'
  const [sample, lastLine] = runs
    ? await Promise.all([
        unlessGone(host.metrics(name, { signal })),
        unlessGone(readLastLine(host, name, signal)),
      ])
    : []
  return {
    name,
    status: problem ?? status,
    cpuPercent: sample?.cpuPercent ?? null,
    memoryBytes: sample?.memoryBytes ?? null,
    branch,
    changed: changed.length,
    lastLine: lastLine || null,
  }
}

/** One that stops while it is looked at, or cannot be measured, has nothing to tell. */
async function unlessGone<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work
  } catch (error) {
    if (isHolmError(error) && !isHolmError(error, 'HOLM_INTERRUPTED')) return undefined
    throw error
  }
}

async function readLastLine(host: HostApi, name: string, signal: AbortSignal): Promise<string> {
  let text = ''
  for await (const { data } of host.logs(name, { follow: false, tail: 1, signal }))
    text = (text + Buffer.from(data).toString()).slice(-4096)
  return text.trimEnd().split('\n').at(-1)?.trim() ?? ''
}

function tableOf(all: readonly Watched[]): Table {
  return {
    columns: ['name', 'status', 'cpu', 'memory', 'branch', 'changes', 'last line'],
    rows: all.map(cellsOf),
    empty: 'No workspaces. Make one: holm workspace create NAME',
  }
}

function cellsOf({ name, status, cpuPercent, memoryBytes, branch, changed, lastLine }: Watched): string[] {
  const cpu = cpuPercent === null ? '' : `${Math.round(cpuPercent)} %`
  const memory = memoryBytes === null ? '' : `${Math.round(memoryBytes / 2 ** 20)} MiB`
  return [name, status, cpu, memory, branch, String(changed), lastLine ?? '']
}

/** A line for each workspace at first, and then for each that changed; those that went are told, too. */
async function* changes(
  read: () => Promise<readonly Watched[]>,
  signal: AbortSignal,
): AsyncIterable<{ readonly stream: 'stdout'; readonly text: string } & Watched> {
  let before = new Map<string, string>()
  while (!signal.aborted) {
    const all = await read().catch((error: unknown) => {
      if (signal.aborted) return []
      throw error
    })
    if (signal.aborted) return
    const now = new Map(all.map((each) => [each.name, textOf(each)]))
    for (const each of all) {
      const text = textOf(each)
      if (before.get(each.name) !== text) yield { stream: 'stdout', text, ...each }
    }
    before = now
    await setTimeout(intervalMs, undefined, { signal }).catch(() => undefined)
  }
}

/** What is measured changes all the time, and is no news by itself. */
function textOf({ name, status, branch, changed, lastLine }: Watched): string {
  const changes = changed === 0 ? 'no changes' : `${changed} changed`
  return [name, status, branch, changes, ...(lastLine === null ? [] : [lastLine])].join('  ')
}
