import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** A process that a recycled number or a reboot cannot be mistaken for. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks between boot and its start, as /proc says. */
  readonly start: string
  readonly bootId: string
}

export interface ProcessStat {
  readonly state: string
  readonly parent: number
  /** Clock ticks in user and kernel mode. */
  readonly cpuTicks: number
  readonly start: string
  readonly residentPages: number
}

/** The fields of /proc/<pid>/stat. The name in brackets may hold anything, brackets too. */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    start: fields[19] ?? '',
    residentPages: Number(fields[21]),
  }
}

/** Undefined when there is no such process. */
export function loadStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}

let proc: boolean | undefined

function hasProc(): boolean {
  proc ??= existsSync('/proc/self/stat')
  return proc
}

let bootId: string | undefined

export function loadBootId(): string {
  bootId ??= readText('/proc/sys/kernel/random/boot_id').trim()
  return bootId
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** The running process with this number; undefined when it has ended. Without /proc (macOS) the number is all there is. */
export function identify(pid: number): ProcessIdentity | undefined {
  if (!hasProc()) return answers(pid) ? { pid, start: '', bootId: '' } : undefined
  const stat = loadStat(pid)
  if (stat === undefined || stat.state === 'Z') return undefined
  return { pid, start: stat.start, bootId: loadBootId() }
}

function answers(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A zombie is dead: it waits for a parent that may never ask. */
export function isAlive({ pid, start, bootId }: ProcessIdentity): boolean {
  const now = identify(pid)
  return now !== undefined && now.start === start && now.bootId === bootId
}

/** Numbers of all processes in the pid namespace of `init`, itself included; `[]` when it has ended. */
export function listProcesses(init: number): number[] {
  const namespace = namespaceOf(init)
  if (namespace === undefined) return []
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => namespaceOf(pid) === namespace)
}

/** Whether a process is in the pid namespace of `init`. */
export function isInside(pid: number, init: number): boolean {
  const namespace = namespaceOf(init)
  return namespace !== undefined && namespaceOf(pid) === namespace
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/** Children of a process, oldest first. */
export function listChildren(pid: number): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

/** Sends a signal; false when there is no such process. Negative numbers are groups. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
