import path from 'node:path'

/** What the search may look at. */
export interface SocketInput {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The plugin's own setting; wins over everything. */
  readonly configured?: string | undefined
  readonly exists: (file: string) => boolean
}

/** Where a daemon listens, and who says so. */
export interface SocketPlace {
  readonly path: string
  readonly from: string
}

/** In the order in which `incus` and `lxc` themselves look, Incus first: it is the one that is still developed by the community. */
const usual: readonly SocketPlace[] = [
  { path: '/run/incus/unix.socket', from: 'Incus' },
  { path: '/var/lib/incus/unix.socket', from: 'Incus' },
  { path: '/var/snap/lxd/common/lxd/unix.socket', from: 'LXD (snap)' },
  { path: '/run/lxd/unix.socket', from: 'LXD' },
  { path: '/var/lib/lxd/unix.socket', from: 'LXD' },
]

/** Every place that was named or is usual; one that is named is the only one. */
export function listSocketPlaces({ env, configured }: Omit<SocketInput, 'exists'>): readonly SocketPlace[] {
  const named: readonly (SocketPlace | undefined)[] = [
    place(configured, 'the configuration', ''),
    place(env['INCUS_SOCKET'], 'INCUS_SOCKET', ''),
    place(env['INCUS_DIR'], 'INCUS_DIR', 'unix.socket'),
    place(env['LXD_SOCKET'], 'LXD_SOCKET', ''),
    place(env['LXD_DIR'], 'LXD_DIR', 'unix.socket'),
  ]
  const first = named.find((each) => each !== undefined)
  return first === undefined ? usual : [first]
}

function place(value: string | undefined, from: string, file: string): SocketPlace | undefined {
  return value === undefined || value === '' ? undefined : { path: path.join(value, file), from }
}

/** The first that is there. Undefined: neither Incus nor LXD is on this machine. */
export function findSocket(input: SocketInput): SocketPlace | undefined {
  return listSocketPlaces(input).find((each) => input.exists(each.path))
}
