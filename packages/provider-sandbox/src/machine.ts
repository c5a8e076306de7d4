import { lstatSync, readFileSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { questionedPaths, type Machine } from './plan.ts'
import { parseMountinfo, type MountEntry } from './shell-build.ts'

/** Looks at this machine's own tree; a few dozen system calls, so it is done anew for every start. */
export function loadMachine(): Machine {
  return {
    top: readdirSync('/', { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map((entry) =>
        entry.isSymbolicLink()
          ? { name: entry.name, link: readlinkSync(`/${entry.name}`) }
          : { name: entry.name },
      ),
    kinds: new Map(questionedPaths.flatMap((path) => kindEntry(path))),
    resolver: loadResolver(),
  }
}

function kindEntry(path: string): [string, 'file' | 'directory'][] {
  try {
    const entry = lstatSync(path)
    if (entry.isSymbolicLink()) return []
    return [[path, entry.isDirectory() ? 'directory' : 'file']]
  } catch {
    return []
  }
}

/** With systemd-resolved, NetworkManager or resolvconf the file is a link into /run, which is not shown. */
function loadResolver(): string | undefined {
  try {
    const real = realpathSync('/etc/resolv.conf')
    return real.startsWith('/etc/') || !statSync(real).isFile() ? undefined : real
  } catch {
    return undefined
  }
}

export function loadMounts(): MountEntry[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))
}
