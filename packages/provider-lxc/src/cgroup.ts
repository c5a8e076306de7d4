import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { AppliedLimit, Resources } from '@holm/core'
import { readText } from './processes.ts'

export type Controller = 'cpu' | 'cpuacct' | 'memory' | 'pids' | 'freezer' | 'devices'

const controllers: readonly Controller[] = ['cpu', 'cpuacct', 'memory', 'pids', 'freezer', 'devices']

/** Where control groups are mounted. Hybrid machines have both, and each controller on one side only. */
export interface CgroupMounts {
  /** Controller to mount point, version 1. */
  readonly v1: Readonly<Partial<Record<Controller, string>>>
  /** Mount point of version 2, and the controllers it has at its root. */
  readonly v2: { readonly folder: string; readonly controllers: readonly string[] } | undefined
}

/** From /proc/self/mountinfo, and cgroup.controllers at the root of version 2. */
export function parseCgroupMounts(
  mountinfo: string,
  v2Controllers: (folder: string) => string,
): CgroupMounts {
  const v1: Partial<Record<Controller, string>> = {}
  let v2: CgroupMounts['v2']
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const folder = before.split(' ')[4] ?? ''
    const [type, , options = ''] = after.split(' ')
    if (type === 'cgroup2') v2 ??= { folder, controllers: v2Controllers(folder).split(/\s+/).filter(Boolean) }
    if (type !== 'cgroup') continue
    for (const name of controllers) if (options.split(',').includes(name)) v1[name] ??= folder
  }
  return { v1, v2 }
}

export function loadCgroupMounts(): CgroupMounts {
  return parseCgroupMounts(readText('/proc/self/mountinfo'), (folder) =>
    readText(path.join(folder, 'cgroup.controllers')),
  )
}

/** One value of a control group: the key of LXC's configuration is `lxc.cgroup[2].<file>`. */
export interface CgroupValue {
  readonly controller: Controller
  readonly version: 1 | 2
  readonly file: string
  readonly value: string
}

export interface LimitPlan {
  readonly limits: readonly AppliedLimit[]
  readonly values: readonly CgroupValue[]
}

export interface LimitFacts {
  readonly mounts: CgroupMounts
  /** May this user make groups on that side? Root may; an ordinary user where a folder was handed over. */
  readonly usable: (version: 1 | 2, controller: Controller) => boolean
  /** Does version 1 count swap, too? */
  readonly swap: boolean
  /** Processes that may be inside where the blueprint says nothing. */
  readonly defaultPids: number | undefined
}

const periodUs = 100_000

/** Who enforces what. What nothing enforces is said, not hidden. */
export function planLimits(resources: Resources, facts: LimitFacts): LimitPlan {
  const limits: AppliedLimit[] = []
  const values: CgroupValue[] = []
  const apply = (name: 'cpus' | 'memory' | 'pids', value: number | undefined): void => {
    if (value === undefined) return
    const found = valuesOf(name, value, facts)
    const [first] = found
    values.push(...found)
    limits.push({ name, value, enforcedBy: first ? `cgroup v${first.version} ${first.controller}` : null })
  }
  apply('cpus', resources.cpus)
  apply('memory', resources.memoryBytes)
  const pidsEnforced = valuesOf('pids', 1, facts).length > 0
  apply('pids', resources.pids ?? (pidsEnforced ? facts.defaultPids : undefined))
  if (resources.diskBytes !== undefined)
    limits.push({ name: 'disk', value: resources.diskBytes, enforcedBy: null })
  return { limits, values }
}

const controllerOf = { cpus: 'cpu', memory: 'memory', pids: 'pids' } as const

function valuesOf(name: keyof typeof controllerOf, value: number, facts: LimitFacts): CgroupValue[] {
  const controller = controllerOf[name]
  const version = versionOf(controller, facts)
  if (version === undefined) return []
  const of = (file: string, text: string): CgroupValue => ({ controller, version, file, value: text })
  if (version === 1) {
    if (name === 'cpus')
      return [
        of('cpu.cfs_period_us', String(periodUs)),
        of('cpu.cfs_quota_us', String(Math.round(value * periodUs))),
      ]
    if (name === 'memory')
      return [
        of('memory.limit_in_bytes', String(value)),
        ...(facts.swap ? [of('memory.memsw.limit_in_bytes', String(value))] : []),
      ]
    return [of('pids.max', String(value))]
  }
  if (name === 'cpus') return [of('cpu.max', `${Math.round(value * periodUs)} ${periodUs}`)]
  if (name === 'memory') return [of('memory.max', String(value)), of('memory.swap.max', '0')]
  return [of('pids.max', String(value))]
}

/** The side that has the controller and lets this user use it. */
export function versionOf(
  controller: Controller,
  { mounts, usable }: Pick<LimitFacts, 'mounts' | 'usable'>,
): 1 | 2 | undefined {
  if (mounts.v1[controller] !== undefined) return usable(1, controller) ? 1 : undefined
  // Version 2 has no controller for devices: programs in the kernel do that work.
  const there = controller === 'devices' || mounts.v2?.controllers.includes(controller) === true
  return mounts.v2 !== undefined && there && usable(2, controller) ? 2 : undefined
}

/**
 * The container's own group of a controller, which PID 1 is in; of version 2 where version 1 does not have it. Undefined when it shares
 * one with others, as an ordinary user's container may: that group says nothing about it, and must not be changed for it.
 */
export function groupOf(
  pid: number,
  controller: Controller,
  mounts: CgroupMounts,
): { readonly folder: string; readonly version: 1 | 2 } | undefined {
  return parseGroup(readText(`/proc/${pid}/cgroup`), controller, mounts)
}

/** From /proc/<pid>/cgroup. */
export function parseGroup(
  text: string,
  controller: Controller,
  mounts: CgroupMounts,
): { readonly folder: string; readonly version: 1 | 2 } | undefined {
  const old = mounts.v1[controller]
  for (const line of text.split('\n')) {
    const [number = '', names = '', ...rest] = line.split(':')
    // An init system makes groups of its own below; what holds for all of them is written at the top.
    const group = /^.*\/lxc\.payload\.[^/]*/.exec(rest.join(':'))?.[0]
    if (group === undefined) continue
    if (old !== undefined && names.split(',').includes(controller))
      return { folder: path.join(old, group), version: 1 }
    if (old === undefined && number === '0' && mounts.v2 !== undefined)
      return { folder: path.join(mounts.v2.folder, group), version: 2 }
  }
  return undefined
}

/** A number of a control group's file; undefined when it is not there or says "max". */
export function readNumber(folder: string, file: string): number | undefined {
  try {
    const value = Number(readFileSync(path.join(folder, file), 'utf8'))
    return Number.isFinite(value) ? value : undefined
  } catch {
    return undefined
  }
}
