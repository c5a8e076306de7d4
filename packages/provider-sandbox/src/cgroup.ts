import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AppliedLimit, Resources } from '@holm/core'

export type Controller = 'cpu' | 'memory' | 'pids' | 'freezer'

/** Where control groups are mounted. */
export interface CgroupMounts {
  /** Controller to mount point, version 1. */
  readonly v1: Readonly<Partial<Record<Controller, string>>>
  /** Mount point of version 2. */
  readonly v2: string | undefined
}

const controllers: readonly Controller[] = ['cpu', 'memory', 'pids', 'freezer']

/** From /proc/self/mountinfo. */
export function parseCgroupMounts(mountinfo: string): CgroupMounts {
  const v1: Partial<Record<Controller, string>> = {}
  let v2: string | undefined
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const target = before.split(' ')[4] ?? ''
    const [type, , options = ''] = after.split(' ')
    if (type === 'cgroup2') v2 ??= target
    if (type !== 'cgroup') continue
    for (const name of controllers) if (options.split(',').includes(name)) v1[name] ??= target
  }
  return { v1, v2 }
}

export interface CgroupWrite {
  readonly folder: string
  readonly file: string
  readonly value: string
}

export interface LimitPlan {
  readonly limits: readonly AppliedLimit[]
  readonly folders: readonly string[]
  readonly writes: readonly CgroupWrite[]
}

export interface LimitFacts {
  readonly mounts: CgroupMounts
  /** Name of the group, unique on this machine. */
  readonly group: string
  /** May groups be made below this folder? */
  readonly writable: (folder: string) => boolean
  /** Folder of version 2 that this user may divide, with the controllers it may hand on. */
  readonly delegated: { readonly folder: string; readonly controllers: readonly string[] } | undefined
  readonly rootless: boolean
}

type LimitKey = 'cpus' | 'memory' | 'pids'

const keys: Readonly<
  Record<LimitKey, { controller: Controller; of: (resources: Resources) => number | undefined }>
> = {
  cpus: { controller: 'cpu', of: ({ cpus }) => cpus },
  memory: { controller: 'memory', of: ({ memoryBytes }) => memoryBytes },
  pids: { controller: 'pids', of: ({ pids }) => pids },
}

const periodUs = 100_000

/** Who enforces what: a control group where one can be made, else a limit of the processes, else nothing. */
export function planLimits(resources: Resources, facts: LimitFacts): LimitPlan {
  const limits: AppliedLimit[] = []
  const writes: CgroupWrite[] = []
  for (const name of Object.keys(keys) as LimitKey[]) {
    const value = keys[name].of(resources)
    if (value === undefined) continue
    const found = writesOf(name, value, facts)
    const instead =
      processLimit(name, value) !== undefined && (name !== 'pids' || facts.rootless) ? 'prlimit' : null
    writes.push(...(found?.writes ?? []))
    limits.push({ name, value, enforcedBy: found?.by ?? instead })
  }
  if (resources.diskBytes !== undefined)
    limits.push({ name: 'disk', value: resources.diskBytes, enforcedBy: null })
  return {
    limits,
    writes,
    folders: [...new Set(writes.map(({ folder }) => folder))],
  }
}

function writesOf(
  name: LimitKey,
  value: number,
  facts: LimitFacts,
): { by: string; writes: CgroupWrite[] } | undefined {
  const { controller } = keys[name]
  const old = facts.mounts.v1[controller]
  if (old !== undefined && facts.writable(old)) {
    const folder = path.join(old, 'holm', facts.group)
    return {
      by: `cgroup v1 ${controller}`,
      writes: versionOne[name](value).map((write) => ({ folder, ...write })),
    }
  }
  if (!facts.delegated?.controllers.includes(controller)) return undefined
  const folder = path.join(facts.delegated.folder, 'holm', facts.group)
  return {
    by: `cgroup v2 ${controller}`,
    writes: versionTwo[name](value).map((write) => ({ folder, ...write })),
  }
}

type Files = Readonly<Record<LimitKey, (value: number) => readonly { file: string; value: string }[]>>

const versionOne: Files = {
  cpus: (value) => [
    { file: 'cpu.cfs_period_us', value: String(periodUs) },
    { file: 'cpu.cfs_quota_us', value: String(Math.round(value * periodUs)) },
  ],
  memory: (value) => [{ file: 'memory.limit_in_bytes', value: String(value) }],
  pids: (value) => [{ file: 'pids.max', value: String(value) }],
}

const versionTwo: Files = {
  cpus: (value) => [{ file: 'cpu.max', value: `${Math.round(value * periodUs)} ${periodUs}` }],
  memory: (value) => [{ file: 'memory.max', value: String(value) }],
  pids: (value) => [{ file: 'pids.max', value: String(value) }],
}

/** Memory is counted per process; the processes of the one user inside are counted together. */
function processLimit(name: AppliedLimit['name'], value: number): string | undefined {
  if (name === 'memory') return `--as=${value}`
  return name === 'pids' ? `--nproc=${value}` : undefined
}

/** Words that give a program the limits that no control group enforces. */
export function prlimitArgv(limits: readonly AppliedLimit[]): string[] {
  const words = limits
    .filter(({ enforcedBy }) => enforcedBy === 'prlimit')
    .flatMap(({ name, value }) => processLimit(name, value) ?? [])
  return words.length === 0 ? [] : ['prlimit', ...words]
}

/** Makes the groups and writes the limits. */
export function createGroups(plan: LimitPlan): void {
  for (const folder of plan.folders) {
    mkdirSync(folder, { recursive: true })
    handOn(folder)
  }
  for (const { folder, file, value } of plan.writes) writeFileSync(path.join(folder, file), value)
}

/** Version 2: a child has a controller only when its parent hands it on. */
function handOn(folder: string): void {
  for (const parent of [path.dirname(path.dirname(folder)), path.dirname(folder)]) {
    const file = path.join(parent, 'cgroup.subtree_control')
    if (!existsSync(file)) continue
    const names = readFileSync(path.join(parent, 'cgroup.controllers'), 'utf8').trim().split(' ')
    const wanted = names.filter((name) => (controllers as readonly string[]).includes(name))
    if (wanted.length > 0) writeFileSync(file, wanted.map((name) => `+${name}`).join(' '))
  }
}

/** The kernel lets go of a group a moment after its last process has ended or left. EBUSY when it does not. */
export async function removeGroupsWhenEmpty(folders: readonly string[], deadlineMs: number): Promise<void> {
  const until = Date.now() + deadlineMs
  for (;;) {
    try {
      removeGroups(folders)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || Date.now() > until) throw error
      await sleep(5)
    }
  }
}

/** Removes groups that nothing is in any more, and what holm made above them when that is empty, too. */
function removeGroups(folders: readonly string[]): void {
  for (const folder of folders) {
    removeGroup(folder, ['ENOENT'])
    removeGroup(path.dirname(folder), ['ENOENT', 'EBUSY', 'ENOTEMPTY'])
  }
}

function removeGroup(folder: string, ignored: readonly string[]): void {
  try {
    rmdirSync(folder)
  } catch (error) {
    if (!ignored.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** Words that put the process into the groups and then become what follows. */
export function joinArgv(folders: readonly string[]): string[] {
  if (folders.length === 0) return []
  const script =
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 >"$1" || exit 126; shift; n=$((n - 1)); done; exec "$@"'
  return [
    'sh',
    '-c',
    script,
    'holm-join',
    String(folders.length),
    ...folders.map((folder) => path.join(folder, 'cgroup.procs')),
  ]
}

/** What this machine and this user allow, now. */
export function loadLimitFacts(group: string, uid: number): LimitFacts {
  const mounts = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
  return { mounts, group, writable, delegated: findDelegated(mounts.v2, uid), rootless: uid !== 0 }
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The whole hierarchy for root, else the part that systemd hands to a user's own manager. */
function findDelegated(mount: string | undefined, uid: number): LimitFacts['delegated'] {
  if (mount === undefined) return undefined
  const candidates =
    uid === 0 ? [mount] : [path.join(mount, `user.slice/user-${uid}.slice/user@${uid}.service`)]
  // A process may be moved only within the part that is handed over: a login session lies outside of it.
  const own = path.join(mount, /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/')
  const folder = candidates.find(
    (candidate) =>
      existsSync(candidate) && writable(candidate) && !path.relative(candidate, own).startsWith('..'),
  )
  if (folder === undefined) return undefined
  const names = readFileSync(path.join(folder, 'cgroup.controllers'), 'utf8').trim()
  return { folder, controllers: names === '' ? [] : names.split(' ') }
}
