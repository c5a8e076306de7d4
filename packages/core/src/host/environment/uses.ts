import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Uses } from '../../idle-api.ts'
import type { HostContext } from '../context.ts'
import { currentProcess, isAlive } from '../state/process-identity.ts'

/**
 * Uses of an environment are files in a folder that only a watched one has: an `exec` of any other costs one failed system call.
 * Each begin and end changes the time of the folder; those of a killed holm are told by its process.
 */
type Host = Pick<HostContext, 'paths' | 'namespace'>

const sleeper = 'asleep'

function folderOf({ paths, namespace }: Host, name: string): string {
  return join(paths.data, 'uses', namespace, name)
}

export function watchUses(host: Host, name: string): void {
  mkdirSync(folderOf(host, name), { recursive: true, mode: 0o700 })
}

export function forgetUses(host: Host, name: string): void {
  rmSync(folderOf(host, name), { recursive: true, force: true })
}

let count = 0

/** Notes that a use begins; the result, which can be repeated, that it has ended. */
export function beginUse(host: Host, name: string): () => void {
  const { pid, startedAt } = currentProcess()
  count += 1
  const file = join(folderOf(host, name), `${pid}-${count}`)
  try {
    writeFileSync(file, startedAt)
  } catch {
    return () => undefined
  }
  return () => rmSync(file, { force: true })
}

export function isAsleep(host: Host, name: string): boolean {
  return existsSync(join(folderOf(host, name), sleeper))
}

export function markAsleep(host: Host, name: string, asleep: boolean): void {
  const file = join(folderOf(host, name), sleeper)
  if (!asleep) rmSync(file, { force: true })
  else if (existsSync(folderOf(host, name))) writeFileSync(file, '')
}

export function usesOf(host: Host, name: string): Uses | undefined {
  const folder = folderOf(host, name)
  if (!existsSync(folder)) return undefined
  const files = readdirSync(folder).filter((file) => file !== sleeper)
  const sessions = files.filter((file) => isLiving(folder, file)).length
  return { lastAt: statSync(folder).mtimeMs, sessions, asleep: isAsleep(host, name) }
}

/** What a killed holm left is removed. */
function isLiving(folder: string, file: string): boolean {
  const path = join(folder, file)
  try {
    if (isAlive({ pid: Number(file.split('-')[0]), startedAt: readFileSync(path, 'utf8') })) return true
  } catch {
    // It ended just now.
  }
  rmSync(path, { force: true })
  return false
}
