import { stat, statfs } from 'node:fs/promises'
import { availableParallelism, freemem, totalmem } from 'node:os'
import {
  isAccessible,
  nearestExisting,
  ok,
  readText,
  runChecks,
  warning,
  withDeadline,
} from './doctor/check.ts'
import { formatBytes, parseMeminfo } from './doctor/parse.ts'
import type { DoctorCheck, ProviderInfo } from '../host-api.ts'
import type { Runner } from '../process.ts'
import type { Check, Finding } from './doctor/check.ts'

export interface DoctorOptions {
  /** All providers, probed. */
  readonly providers: () => Promise<readonly ProviderInfo[]>
  readonly paths: { readonly data: string; readonly cache: string; readonly config: string }
  readonly runner: Runner
  readonly platform: NodeJS.Platform
  /** Damage of the state file as a sentence; undefined when it is whole. */
  readonly verifyState?: () => Promise<string | undefined> | string | undefined
  /** Is the caller root? Absent: asked of the system. */
  readonly root?: boolean
}

/** Looks at runtimes, machine and holm itself. Each check stands for itself, takes 3 s at most, and never throws. */
export async function runDoctor(options: DoctorOptions): Promise<readonly DoctorCheck[]> {
  const { platform, root = process.getuid?.() === 0 } = options
  const kernel = platform === 'linux' ? (await import('./doctor/kernel.ts')).kernelChecks(root) : []
  const groups = [
    checkRuntimes(options.providers),
    runChecks([...machineChecks(options), ...kernel, ...holmChecks(options)]),
  ]
  return (await Promise.all(groups)).flat()
}

async function checkRuntimes(providers: DoctorOptions['providers']): Promise<readonly DoctorCheck[]> {
  let found: readonly ProviderInfo[] = []
  const outcome = await withDeadline(async () => {
    found = await providers()
    return ok('')
    // A probe itself may take 3 s; what takes longer is stuck.
  }, 4000)
  if (outcome.status !== 'ok') return [{ group: 'runtime', name: 'providers', ...outcome }]
  return found.map((info) => ({ group: 'runtime', name: info.id, ...judgeRuntime(info) }))
}

/** What a probe means to a person. Pure. */
export function judgeRuntime({ probe, platforms }: ProviderInfo): Finding {
  if (!probe) return { status: 'missing', detail: `not for this system (${platforms.join(', ') || 'any'})` }
  const limitations = probe.limitations.length === 0 ? {} : { limitations: probe.limitations }
  if (probe.usable) return { ...ok(probe.version ?? 'usable'), ...limitations }
  const detail = [probe.version, probe.reason ?? 'not usable'].filter((part) => part !== undefined).join(': ')
  const fix = probe.fix === undefined ? {} : { fix: probe.fix }
  // A runtime whose version is known is there and broken; one without is not installed.
  return { status: probe.version === undefined ? 'missing' : 'warning', detail, ...fix, ...limitations }
}

const gigabyte = 1_000_000_000

function machineChecks({ paths, runner }: DoctorOptions): readonly Check[] {
  const check = (name: string, look: () => Promise<Finding>): Check => ({ group: 'machine', name, look })
  return [
    check('disk', () => checkDisk(paths.data)),
    check('memory', checkMemory),
    check('processors', async () => ok(`${availableParallelism()} available`)),
    check('git', () => checkGit(runner)),
  ]
}

async function checkDisk(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestExisting(folder))
  const free = bavail * bsize
  const detail = `${formatBytes(free)} free at ${folder}`
  if (free >= 5 * gigabyte) return ok(detail)
  const fix = 'Free space, or put the data folder elsewhere with HOLM_HOME.'
  return free < gigabyte / 2 ? { status: 'failed', detail, fix } : warning(detail, fix)
}

async function checkMemory(): Promise<Finding> {
  // What `freemem` leaves out: caches that the system gives back.
  const available = parseMeminfo((await readText('/proc/meminfo')) ?? '', 'MemAvailable') ?? freemem()
  const detail = `${formatBytes(available)} of ${formatBytes(totalmem())} available`
  return available >= gigabyte
    ? ok(detail)
    : warning(detail, 'Stop environments that you do not need: holm list, holm stop.')
}

async function checkGit(runner: Runner): Promise<Finding> {
  const fix = 'Install git and put it on PATH.'
  const result = await runner.run(['git', '--version'], { timeoutMs: 2500 }).catch(() => undefined)
  if (result?.code === 0) return ok(result.stdout.trim())
  return { status: 'missing', detail: 'git is not on PATH: no workspaces, no blueprints from git', fix }
}

function holmChecks({ paths, verifyState }: DoctorOptions): readonly Check[] {
  const check = (name: string, look: () => Promise<Finding>): Check => ({ group: 'holm', name, look })
  return [
    check('node', async () => judgeNode(process.versions.node)),
    ...(['data', 'cache', 'config'] as const).map((name) =>
      check(`${name} folder`, () => checkFolder(paths[name])),
    ),
    ...(verifyState ? [check('state', () => checkState(verifyState))] : []),
  ]
}

/** holm is written for Node 24 and later. Pure. */
export function judgeNode(version: string): Finding {
  if (Number.parseInt(version, 10) >= 24) return ok(version)
  return { status: 'failed', detail: `${version} is older than 24`, fix: 'Install Node 24 or newer.' }
}

async function checkFolder(path: string): Promise<Finding> {
  const existing = await nearestExisting(path)
  if (!(await stat(existing)).isDirectory()) {
    const fix = 'Move the file away, or set HOLM_HOME to a folder of yours.'
    return { status: 'failed', detail: `${existing} is no folder`, fix }
  }
  if (await isAccessible(existing))
    return ok(existing === path ? `${path} is writable` : `${path} can be created`)
  return {
    status: 'failed',
    detail: `${existing} is not writable`,
    fix: 'Correct its owner, or set HOLM_HOME to a folder of yours.',
  }
}

async function checkState(verify: NonNullable<DoctorOptions['verifyState']>): Promise<Finding> {
  const damage = await verify()
  if (damage === undefined) return ok('whole')
  return {
    status: 'failed',
    detail: damage,
    fix: 'Run holm list: it keeps a copy and rebuilds the state from the runtimes.',
  }
}
