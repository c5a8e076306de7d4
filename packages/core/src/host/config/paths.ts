import { createHash } from 'node:crypto'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join, posix, win32 } from 'node:path'

/** Folders of this holm; none is created before `createFolder`. */
export interface HolmPaths {
  /** State database, plugins, bases. */
  readonly data: string
  /** What can be fetched again. */
  readonly cache: string
  /** The user's configuration file. */
  readonly config: string
  /** The machine's configuration files. */
  readonly system: string
  /** Logs of processes in the background. */
  readonly state: string
  /** Sockets: short, because the path of a Unix socket may have 103 bytes. */
  readonly run: string
}

export interface PathOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform?: NodeJS.Platform
  readonly home?: string
}

/** Where this platform keeps such files. HOLM_HOME puts all of them under one folder. */
export function resolvePaths(options: PathOptions): HolmPaths {
  const { env, platform = process.platform, home = env['HOME'] ?? homedir() } = options
  const folders = platform === 'win32' ? resolveWindows(env, home) : resolveUnix(env, platform, home)
  const own = env['HOLM_HOME']
  if (own === undefined || own === '') return folders
  const inside = (name: string): string => (platform === 'win32' ? win32 : posix).resolve(own, name)
  const run = inside('run')
  return {
    data: inside('data'),
    cache: inside('cache'),
    config: inside('config'),
    system: folders.system,
    state: inside('state'),
    run: platform === 'win32' ? run : shortenRun(run),
  }
}

type Folders = (env: PathOptions['env'], home: string) => HolmPaths

const resolveWindows: Folders = (env, home) => {
  const local = win32.join(env['LOCALAPPDATA'] ?? win32.join(home, 'AppData', 'Local'), 'holm')
  const roaming = env['APPDATA'] ?? win32.join(home, 'AppData', 'Roaming')
  return {
    data: win32.join(local, 'data'),
    cache: win32.join(local, 'cache'),
    config: win32.join(roaming, 'holm'),
    system: win32.join(env['PROGRAMDATA'] ?? 'C:\\ProgramData', 'holm'),
    state: win32.join(local, 'state'),
    run: win32.join(local, 'run'),
  }
}

function resolveUnix(env: PathOptions['env'], platform: NodeJS.Platform, home: string): HolmPaths {
  // The XDG specification: a relative path is to be ignored.
  const xdg = (name: string, fallback: string): string => {
    const value = env[name]
    return posix.join(value?.startsWith('/') ? value : posix.join(home, fallback), 'holm')
  }
  const mac = platform === 'darwin'
  const state = xdg('XDG_STATE_HOME', mac ? 'Library/Application Support' : '.local/state')
  const runtime = env['XDG_RUNTIME_DIR']
  return {
    data: xdg('XDG_DATA_HOME', mac ? 'Library/Application Support' : '.local/share'),
    cache: xdg('XDG_CACHE_HOME', mac ? 'Library/Caches' : '.cache'),
    config: xdg('XDG_CONFIG_HOME', '.config'),
    system: '/etc/holm',
    state: mac && !env['XDG_STATE_HOME'] ? posix.join(state, 'state') : state,
    run: shortenRun(posix.join(runtime?.startsWith('/') ? runtime : state, runtime ? 'holm' : 'run')),
  }
}

const longestSocketPath = 103
const longestSocketName = 40

/** A folder too deep for a socket in it is replaced by one of this user's in the temporary folder. */
function shortenRun(folder: string): string {
  if (Buffer.byteLength(folder) + 1 + longestSocketName <= longestSocketPath) return folder
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 8)
  return join(tmpdir(), `holm-${userInfo().uid}-${hash}`)
}
