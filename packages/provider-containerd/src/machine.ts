import { existsSync, readFileSync, statSync } from 'node:fs'
import type { LimitName } from '@holm/core'
import { parseCapabilities } from './security.ts'

/** Facts of this machine that an OCI configuration depends on. */
export interface Machine {
  readonly cgroup: 1 | 2
  /** What enforces each limit; null when nothing does. */
  readonly enforcers: Readonly<Record<LimitName, string | null>>
  /** Memory and swap can be limited together. */
  readonly swapLimit: boolean
  /** Capabilities that root has here, without CAP_. */
  readonly capabilities: readonly string[]
  /** A static init program that reaps zombies, if this machine has one. */
  readonly init: string | undefined
}

const initPrograms: readonly string[] = [
  '/usr/bin/tini-static',
  '/usr/libexec/podman/catatonit',
  '/usr/bin/catatonit',
  '/usr/bin/docker-init',
  '/usr/libexec/docker/docker-init',
]

const cgroupRoot = '/sys/fs/cgroup'

export function loadMachine(): Machine {
  const unified = readText(`${cgroupRoot}/cgroup.controllers`)
  const cgroup = unified === undefined ? 1 : 2
  const has = (controller: string): boolean =>
    unified === undefined
      ? existsSync(`${cgroupRoot}/${controller}/tasks`)
      : unified.split(/\s+/).includes(controller)
  const enforcer = (controller: string): string | null =>
    has(controller) ? `cgroup v${cgroup} ${controller}` : null
  return {
    cgroup,
    enforcers: { cpus: enforcer('cpu'), memory: enforcer('memory'), pids: enforcer('pids'), disk: null },
    swapLimit: cgroup === 2 || existsSync(`${cgroupRoot}/memory/memory.memsw.limit_in_bytes`),
    capabilities: parseCapabilities(
      /^CapBnd:\s+(\w+)$/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '0',
    ),
    init: initPrograms.find((program) => existsSync(program)),
  }
}

export interface Device {
  readonly path: string
  readonly type: 'b' | 'c'
  readonly major: number
  readonly minor: number
}

/** Undefined for a path that is no device. */
export function loadDevice(path: string): Device | undefined {
  try {
    const found = statSync(path)
    if (!found.isBlockDevice() && !found.isCharacterDevice()) return undefined
    // As glibc's gnu_dev_major and gnu_dev_minor, for numbers below 2^32.
    const major = (found.rdev >>> 8) & 0xfff
    const minor = (found.rdev & 0xff) | ((found.rdev >>> 12) & 0xfff00)
    return { path, type: found.isBlockDevice() ? 'b' : 'c', major, minor }
  } catch {
    return undefined
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
