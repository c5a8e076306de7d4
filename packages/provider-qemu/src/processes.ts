import { readFileSync } from 'node:fs'

/** A process that a recycled number or a reboot cannot be mistaken for. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks between boot and its start, as /proc says. */
  readonly start: string
  readonly bootId: string
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** State and start of a process, from /proc/<pid>/stat. The name in brackets may hold anything, brackets too. */
export function parseStat(text: string): { readonly state: string; readonly start: string } | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, start] = [fields[0], fields[19]]
  return state === undefined || start === undefined ? undefined : { state, start }
}

let bootId: string | undefined

export function loadBootId(): string {
  bootId ??= readText('/proc/sys/kernel/random/boot_id').trim()
  return bootId
}

/** The running process with this number; undefined when it has ended. A zombie is dead: it waits for a parent that may never ask. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = parseStat(readText(`/proc/${pid}/stat`))
  if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined
  return { pid, start: stat.start, bootId: loadBootId() }
}

export function isAlive({ pid, start, bootId }: ProcessIdentity): boolean {
  const now = identify(pid)
  return now !== undefined && now.start === start && now.bootId === bootId
}

/** This process, as others recognise it. */
export function identifySelf(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, start: '', bootId: '' }
}

/** Whether a process runs under this number and was started with this word among its arguments. */
export function runsWith(pid: number, word: string): boolean {
  return identify(pid) !== undefined && readText(`/proc/${pid}/cmdline`).split('\0').includes(word)
}

/** Sends a signal; false when there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
