import { globSync, mkdirSync, readFileSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning } from '../bootstrap/lock.mjs'
import { runCommand } from '../command.ts'
import { root } from '../root.ts'
import { removeNetwork, type TestNetwork } from './network.ts'

/** All that a test engine has made on the machine, kept as a file until it is gone again. */
export interface EngineRecord {
  readonly id: string
  /** The test run that stops the engine. */
  readonly owner: number
  readonly data: string
  readonly run: string
  readonly pid?: number
  readonly network?: TestNetwork
}

export const recordsFolder: string = join(root, '.cache', 'dockerd', 'records')

export function recordName(record: EngineRecord): string {
  return `${record.id}.json`
}

export function saveRecord(record: EngineRecord): void {
  mkdirSync(recordsFolder, { recursive: true })
  writeFileSync(join(recordsFolder, recordName(record)), JSON.stringify(record, null, 2))
}

/** Removes engines whose test run was killed before it could stop them. */
export async function sweepEngines(): Promise<void> {
  for (const record of readRecords()) {
    if (isRunning(record.owner)) continue
    console.log(`engines: removing what a killed run left (${record.id})`)
    await cleanUp(record)
  }
}

function readRecords(): EngineRecord[] {
  const files = listNames(recordsFolder).map((name) => join(recordsFolder, name))
  return files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as EngineRecord)
}

/** Idempotent, and complete also when the engine is already dead. */
export async function cleanUp(record: EngineRecord): Promise<void> {
  await endProcesses(record)
  removeGroups(record)
  await unmountBelow(record)
  if (record.network) await removeNetwork(record.network)
  for (const bridge of bridgesBelow(record.run)) await removeBridge(bridge)
  for (const folder of [record.run, record.data])
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  rmSync(join(recordsFolder, recordName(record)), { force: true })
}

/** Control groups of LXC's containers, which a monitor that was killed could not take down. Only empty ones go. */
function removeGroups({ data }: EngineRecord): void {
  const top = '/sys/fs/cgroup'
  const places = [top, ...listNames(top).map((name) => join(top, name))]
  const groups = listNames(join(data, 'containers')).flatMap((id) => [
    `lxc.payload.${id}`,
    `lxc.monitor.${id}`,
  ])
  for (const folder of places.flatMap((place) => groups.map((group) => join(place, group)))) {
    try {
      rmdirSync(folder)
    } catch {
      // Not there, or in use.
    }
  }
}

/** Bridges of environments that tests made and did not remove: their data is below the engine's run folder. */
function bridgesBelow(run: string): string[] {
  return globSync('**/network/config.json', { cwd: run }).map(
    (file) => (JSON.parse(readFileSync(join(run, file), 'utf8')) as TestNetwork).bridge,
  )
}

/** With the rules that name it in their comment. */
async function removeBridge(bridge: string): Promise<void> {
  for (const table of ['nat', 'filter']) {
    const { output } = await runCommand(['iptables', '-w', '-t', table, '-S'])
    for (const line of output.split('\n').filter((each) => each.includes(`"holm ${bridge}"`))) {
      const words = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ''))
      await runCommand(['iptables', '-w', '-t', table, '-D', ...words.slice(1)])
    }
  }
  await runCommand(['ip', 'link', 'del', bridge])
}

async function endProcesses(record: EngineRecord): Promise<void> {
  // The containers first: their processes outlive a killed engine, and an engine that stops in order waits for them.
  for (const pid of containerProcesses(record)) signal(pid, 'SIGKILL')
  if (record.pid !== undefined && readProc(record.pid, 'cmdline').includes(record.run)) {
    signal(record.pid, 'SIGTERM')
    await waitFor(() => !isRunning(record.pid ?? 0), 30_000)
  }
  // containerd and its shims carry the run folder in their command lines and outlive a dockerd that was killed.
  for (const pid of processesOf(record)) signal(pid, 'SIGKILL')
  await waitFor(() => processesOf(record).length === 0, 5_000)
}

function containerProcesses(record: EngineRecord): number[] {
  const containers = listNames(join(record.data, 'containers'))
  const shims = new Set(processesOf(record).filter((pid) => readProc(pid, 'cmdline').includes('-shim-')))
  return listProcesses().filter((pid) => {
    if (shims.has(parentOf(pid))) return true
    const groups = readProc(pid, 'cgroup')
    return containers.some((id) => groups.includes(id))
  })
}

function parentOf(pid: number): number {
  const stat = readProc(pid, 'stat')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0)
}

function processesOf(record: EngineRecord): number[] {
  return listProcesses().filter((pid) => isOurs(readProc(pid, 'cmdline'), record))
}

function listProcesses(): number[] {
  return listNames('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && pid !== process.pid)
}

function isOurs(command: string, { run, id }: EngineRecord): boolean {
  return command.includes(`${run}/`) || command.split('\0').includes(`holm-test-${id}`)
}

function readProc(pid: number, file: 'cgroup' | 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // Already gone.
  }
}

async function waitFor(condition: () => boolean, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!condition() && Date.now() < deadline) await sleep(50)
}

async function unmountBelow({ run, data }: EngineRecord): Promise<void> {
  const targets = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(`${run}/`) || target.startsWith(`${data}/`) || target === data)
  // The deepest first: a mount is busy as long as another one sits in it.
  for (const target of targets.toReversed()) await runCommand(['umount', '--lazy', target])
}
