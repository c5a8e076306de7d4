import { readlinkSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { HolmError } from '@holm/core'
import { ask, script, type Exec } from '../services/inside.ts'
import { parseLook, parseOwners, portsOf, unowned, type ListeningPort, type Look } from './listening.ts'
import { owners, watch } from './scripts.ts'

export interface WatchOptions {
  readonly exec: Exec
  /** What listens inside listens on this machine, among everything else. */
  readonly shared: boolean
  /** User that programs inside have by default, where it is known. */
  readonly user: string | undefined
  readonly signal: AbortSignal
  /** Called with each change; what it waits for holds the next one back. */
  readonly onPorts: (ports: readonly ListeningPort[]) => Promise<void>
}

/** Seconds between two looks inside. */
const pauseSeconds = 1

/** Tells what listens inside until the signal fires or the environment ends. Nothing is left running inside. */
export async function watchPorts(options: WatchOptions): Promise<void> {
  const process = await options.exec({
    ...script(watch, [owners, String(pauseSeconds)]),
    stdin: 'pipe',
  })
  process.stdin?.on('error', () => undefined)
  const end = (): void => {
    process.stdin?.end()
    void process.kill('SIGKILL').catch(() => undefined)
  }
  options.signal.addEventListener('abort', end, { once: true })
  if (options.signal.aborted) end()
  process.stderr.resume()
  try {
    for await (const lines of looks(process.stdout)) await options.onPorts(await listening(lines, options))
  } finally {
    options.signal.removeEventListener('abort', end)
    end()
    await process.exited.catch(() => undefined)
  }
}

/** The lines between two dots. */
async function* looks(stream: Readable): AsyncIterable<readonly string[]> {
  let rest = ''
  let lines: string[] = []
  for await (const chunk of stream) {
    const parts = (rest + String(chunk)).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      if (line !== '.') lines.push(line)
      else {
        yield lines
        lines = []
      }
    }
    assertModest(rest, lines)
  }
}

/** Far more than a machine has sockets: what is inside may say what it likes. */
const most = { lines: 50_000, line: 10_000 }

function assertModest(rest: string, lines: readonly string[]): void {
  if (rest.length <= most.line && lines.length <= most.lines) return
  throw new HolmError('HOLM_COMMAND_FAILED', 'what listens inside could not be read: there is no end to it', {
    hint: 'See what the programs inside do: holm exec -- ps aux',
  })
}

async function listening(lines: readonly string[], options: WatchOptions): Promise<readonly ListeningPort[]> {
  const look = parseLook(lines)
  const shared = options.shared || isOwnNetwork(look)
  return portsOf(await withMoreOwners(look, options, shared), shared)
}

/** Only ever makes it stricter: what is said inside may be a lie. */
function isOwnNetwork({ network }: Look): boolean {
  try {
    return network !== '' && network === readlinkSync('/proc/self/ns/net')
  } catch {
    return false
  }
}

/** How many users are asked for the names of their processes: root of a container may not look at those of others. */
const mostUsers = 4

async function withMoreOwners(
  look: Look,
  { exec, user, shared: certain }: WatchOptions,
  shared: boolean,
): Promise<Look> {
  const strange = unowned(look)
  if (strange.length === 0 || certain) return look
  const users = shared ? (user === 'root' ? [] : ['root']) : strange.map(({ uid }) => String(uid))
  const found = new Map(look.owners)
  for (const name of [...new Set(users)].slice(0, mostUsers)) {
    const inodes = strange.filter(({ uid }) => shared || String(uid) === name).map(({ inode }) => inode)
    // A user that cannot be asked has processes without names.
    const answer = await ask(exec, { ...script(owners, inodes), user: name, cwd: '/' }, askMs).catch(
      () => undefined,
    )
    for (const [inode, owner] of parseOwners(answer?.stdout.split('\n') ?? [])) found.set(inode, owner)
  }
  return { ...look, owners: found }
}

const askMs = 10_000
