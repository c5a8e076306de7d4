import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

interface Seen {
  readonly pid: number
  readonly parent: number
  readonly command: string
  readonly folder: string
  readonly program: string
}

/** Programs that name a folder or work in it, with all that they started; holm and its tests themselves are none. */
function listProcesses(folder: string): readonly Seen[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => look(Number(name)))
  const isOurs = ({ command, folder: at, program }: Seen): boolean =>
    program !== basename(process.execPath) && (command.includes(folder) || `${at}/`.startsWith(`${folder}/`))
  const found = new Set(all.filter(isOurs))
  for (let before = -1; before !== found.size;) {
    before = found.size
    const parents = new Set([...found].map(({ pid }) => pid))
    for (const each of all) if (parents.has(each.parent)) found.add(each)
  }
  return [...found]
}

function look(pid: number): Seen[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z') return []
    return [
      {
        pid,
        parent: Number(parent),
        command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
        folder: readlinkSync(`/proc/${pid}/cwd`),
        program: basename(readlinkSync(`/proc/${pid}/exe`)),
      },
    ]
  } catch {
    // It ended in the meantime, or is the kernel's own.
    return []
  }
}

/** SIGKILL to all of them. */
export function killBelow(folder: string): void {
  for (const { pid } of listProcesses(folder)) kill(pid)
}

/** SIGKILL to those with such a command line that no other of them started; how many there were. */
export function killKeepers(folder: string, command: RegExp): number {
  const found = listProcesses(folder).filter((each) => command.test(each.command))
  const keepers = found.filter(({ parent }) => !found.some(({ pid }) => pid === parent))
  for (const { pid } of keepers) kill(pid)
  return keepers.length
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Kills the first such programs in the moment they are seen. */
export async function killWhenSeen(folder: string, command: RegExp): Promise<void> {
  const deadline = Date.now() + 60_000
  while (killKeepers(folder, command) === 0) {
    if (Date.now() > deadline) throw new Error(`no program like ${command} below ${folder} within 60 s`)
    await pause(1)
  }
}
