import { commandFailed } from './output.ts'
import type { Inside } from './inside.ts'

/** What provisioning needs to know of an environment; one exec tells all of it. */
export interface Machine {
  readonly uid: number
  /** Names of the probed programs that are on PATH. */
  readonly programs: ReadonlySet<string>
  /** `ID` and `VERSION_ID` of /etc/os-release; empty when unknown. */
  readonly os: { readonly id: string; readonly version: string }
  readonly architecture: string
  readonly libc: 'gnu' | 'musl'
  /** apt or pacman has package lists. */
  readonly hasLists: boolean
  /** All user ids exist inside; false in a user namespace that maps only one. */
  readonly mapsAllIds: boolean
}

const probed = 'apt-get apk dnf microdnf yum zypper pacman bash sudo'

const script = `
echo "uid=$(id -u 2>/dev/null)"
echo "arch=$(uname -m)"
for name in ${probed}; do command -v "$name" >/dev/null 2>&1 && echo "has=$name"; done
for file in /lib/ld-musl-*; do [ -e "$file" ] && echo libc=musl; done
for file in /var/lib/apt/lists/*_Packages* /var/lib/pacman/sync/*.db; do [ -e "$file" ] && { echo lists=yes; break; }; done
while read -r _ _ count; do echo "ids=$count"; done 2>/dev/null </proc/self/uid_map
[ -r /etc/os-release ] && while read -r line; do echo "os:$line"; done </etc/os-release
exit 0
`

/** Reads the answer of the probe script. Pure. */
export function parseMachine(text: string): Machine {
  const lines = text.split('\n').map((line) => line.trim())
  const all = (prefix: string): string[] =>
    lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length))
  const first = (prefix: string): string => (all(prefix)[0] ?? '').replace(/^(["'])(.*)\1$/, '$2')
  const uid = Number.parseInt(first('uid='), 10)
  const ids = all('ids=').map(Number)
  return {
    // A base without `id` is one where nobody but root was thought of.
    uid: Number.isNaN(uid) ? 0 : uid,
    programs: new Set(all('has=')),
    os: { id: first('os:ID='), version: first('os:VERSION_ID=') },
    architecture: first('arch='),
    libc: all('libc=').length > 0 ? 'musl' : 'gnu',
    hasLists: all('lists=').length > 0,
    mapsAllIds: ids.length === 0 || ids.reduce((sum, count) => sum + count, 0) >= 65_536,
  }
}

/** Looks inside, once. */
export async function probeMachine(inside: Inside): Promise<Machine> {
  const result = await inside.run({ argv: ['sh', '-c', script] })
  if (result.code === 0) return parseMachine(result.stdout)
  const hint = 'Use a base that has a POSIX shell at /bin/sh.'
  throw commandFailed('looking inside the environment', result, { hint })
}
