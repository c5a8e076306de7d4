import { randomBytes } from 'node:crypto'
import { identifySelf, isAlive } from './processes.ts'

/** Part of the name of something unfinished: who makes it, so that others know when nobody does any more. */
export function makerTag(): string {
  const { pid, start } = identifySelf()
  return `${pid}.${start}.${randomBytes(6).toString('hex')}`
}

/** Whether the process that a name with such a tag tells of still runs. */
export function makerLives(name: string): boolean {
  const [, pid, start = ''] = /-(\d+)\.(\d*)\.[0-9a-f]{12}-/.exec(name) ?? []
  return pid !== undefined && isAlive({ ...identifySelf(), pid: Number(pid), start })
}
