/** A port that something inside listens on. */
export interface ListeningPort {
  readonly port: number
  /** Name of the process, as the kernel has it; undefined where nobody may look. */
  readonly process: string | undefined
  readonly pid: number | undefined
}

interface Socket {
  readonly port: number
  readonly uid: number
  readonly inode: string
}

interface Owner {
  readonly pid: number
  readonly name: string
}

/** One look of `watch`. */
export interface Look {
  /** The network namespace, as the kernel names it. */
  readonly network: string
  readonly sockets: readonly Socket[]
  readonly owners: ReadonlyMap<string, Owner>
}

/** The lines of one look, without the dot. What is in no known form is left out: they are written inside. */
export function parseLook(lines: readonly string[]): Look {
  const words = lines.map((line) => line.split(' '))
  return {
    network: words.find(([kind]) => kind === 'net')?.[1] ?? '',
    sockets: words.flatMap(parseSocket),
    owners: parseOwners(lines),
  }
}

function parseSocket([kind, local = '', uid = '', inode = '']: readonly string[]): Socket[] {
  const port = /^(?:[0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local)?.[1]
  if (kind !== 'socket' || port === undefined || !/^\d+$/.test(uid) || !/^[1-9]\d*$/.test(inode)) return []
  return [{ port: Number.parseInt(port, 16), uid: Number(uid), inode }]
}

/** By inode; of several that share a socket the one with the smallest id, which is the oldest. */
export function parseOwners(lines: readonly string[]): Map<string, Owner> {
  const found = new Map<string, Owner>()
  for (const line of lines) {
    const [, inode, pid, name] = /^owner (\d+) (\d+) (.*)$/.exec(line) ?? []
    if (inode === undefined || name === undefined) continue
    const owner = { pid: Number(pid), name }
    if (owner.pid < (found.get(inode)?.pid ?? Infinity)) found.set(inode, owner)
  }
  return found
}

/** Sockets that nobody is known to have. */
export function unowned({ sockets, owners }: Look): readonly Socket[] {
  return sockets.filter(({ inode }) => !owners.has(inode))
}

/**
 * Ports with the names of their processes, by number. In a network that is shared with this machine only what a process
 * inside has: the rest belongs to others.
 */
export function portsOf({ sockets, owners }: Look, shared: boolean): ListeningPort[] {
  const ports = new Map<number, ListeningPort>()
  for (const { port, inode } of sockets) {
    const owner = owners.get(inode)
    if (port === 0 || (owner === undefined && shared)) continue
    if (ports.get(port)?.process === undefined)
      ports.set(port, { port, process: owner?.name, pid: owner?.pid })
  }
  return [...ports.values()].toSorted((a, b) => a.port - b.port)
}
