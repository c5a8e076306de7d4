import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** A process that a recycled number or a reboot cannot be mistaken for. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks between boot and its start. */
  readonly start: string
  readonly boot: string
}

export interface ProcessStat {
  readonly state: string
  readonly group: number
  readonly session: number
  /** Clock ticks of user and kernel mode. */
  readonly cpuTicks: number
  readonly start: string
  readonly residentPages: number
}

/** Fields of /proc/<pid>/stat; the name in brackets may hold anything. */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    state: fields[0] ?? '',
    group: Number(fields[2]),
    session: Number(fields[3]),
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    start: fields[19] ?? '',
    residentPages: Number(fields[21]),
  }
}

/** Undefined when there is no such process. */
export function loadStat(pid: number): ProcessStat | undefined {
  const text = readText(`/proc/${pid}/stat`)
  return text === '' ? undefined : parseStat(text)
}

/** Content of a file; empty when it cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

let boot: string | undefined

/** Changes when the machine is started anew. */
export function loadBootId(): string {
  boot ??= readText('/proc/sys/kernel/random/boot_id').trim()
  return boot
}

/** Undefined when it has ended; a zombie has. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = loadStat(pid)
  return stat === undefined || stat.state === 'Z' ? undefined : { pid, start: stat.start, boot: loadBootId() }
}

export function identifySelf(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, start: '', boot: '' }
}

export function isAlive(known: ProcessIdentity): boolean {
  const now = identify(known.pid)
  return now !== undefined && now.start === known.start && now.boot === known.boot
}

/** Children of a process, oldest first. */
export function listChildren(pid: number): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return undefined
  }
}

/** Whether a process is in the pid namespace of `init`. */
export function isInside(pid: number, init: number): boolean {
  const namespace = namespaceOf(init)
  return namespace !== undefined && namespaceOf(pid) === namespace
}

function listAll(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
}

/** All processes in the pid namespace of `init`, itself included. */
export function listProcesses(init: number): number[] {
  const namespace = namespaceOf(init)
  return namespace === undefined ? [] : listAll().filter((pid) => namespaceOf(pid) === namespace)
}

/** Processes of one process group, or of one session, among those inside. */
export function listMembers(
  init: number,
  of: { readonly group?: number; readonly session?: number },
): number[] {
  return listAll().filter((pid) => {
    const stat = loadStat(pid)
    if (stat === undefined || stat.state === 'Z') return false
    return (stat.group === of.group || stat.session === of.session) && isInside(pid, init)
  })
}

/** Number of a process in its innermost pid namespace. */
export function innerPid(pid: number): number | undefined {
  const line = /^NSpid:\s*(.*)$/m.exec(readText(`/proc/${pid}/status`))?.[1]
  const last = line?.split(/\s+/).at(-1)
  return last === undefined ? undefined : Number(last)
}

/** 'gone' when there is no such process, 'refused' when it belongs to somebody else. */
export function sendSignal(pid: number, signal: NodeJS.Signals | number): 'sent' | 'gone' | 'refused' {
  try {
    process.kill(pid, signal)
    return 'sent'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ESRCH') return 'gone'
    if (code === 'EPERM') return 'refused'
    throw error
  }
}
