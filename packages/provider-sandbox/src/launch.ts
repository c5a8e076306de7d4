import { readFile, rm, writeFile, mkdir, chmod } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { bwrapArgv } from './bwrap.ts'
import { joinArgv } from './cgroup.ts'
import { isMissing, removeTree, resolveInside } from './folders.ts'
import { lowerNames, sharedFolders } from './layers.ts'
import { loadMachine, loadMounts } from './machine.ts'
import { planRoot, type Operation } from './plan.ts'
import { identify, sendSignal } from './processes.ts'
import type { Caller, Holder, SandboxRecord } from './record.ts'
import { buildScript } from './shell-build.ts'
import { terminalOptions, terminalsOf } from './terminal.ts'
import { libraryStart } from './tools.ts'
import { volumeSource } from './volumes.ts'

/**
 * First process of an environment. It runs where mounts belong to nobody inside: in a mount namespace of its own, and
 * for an ordinary user in a user namespace where that user is root. From there it makes a second user namespace below,
 * the anchor, in which all programs run. They own no mount, so they can undo none. It waits for the builder of the root instead
 * of becoming it: what is inside ends with it, whoever ends it.
 */
const launchScript = `set -e
exec 3>state
read m _ </proc/self/stat
echo "monitor $m" >&3
mount -t devpts -o "$HOLM_TERMINALS" devpts pts
[ -z "$HOLM_OVERLAY" ] || mount -t overlay -o "$HOLM_OVERLAY" overlay root
mkfifo gate
unshare --user sh -c 'echo up >gate; read _ <gate; exec setpriv --pdeathsig KILL sleep 2147483647' 3>&- &
a=$!
read _ <gate
echo "$HOLM_UIDS" >"/proc/$a/uid_map"
echo "$HOLM_GIDS" >"/proc/$a/gid_map"
echo go >gate
echo "anchor $a" >&3
"$@" 5<"/proc/$a/ns/user" 6>info
exit 0`

export interface LaunchPaths {
  readonly folder: string
  readonly volumes: string
  readonly data: string
}

export interface LaunchOptions {
  readonly paths: LaunchPaths
  readonly env: Readonly<Record<string, string>>
  readonly cgroups: readonly string[]
}

export type Started = Pick<Holder, 'init' | 'monitor' | 'anchor' | 'startedAt'>

const deadlineMs = 20_000

/** Starts the holder and returns when programs can be put into it. HOLM_ENVIRONMENT_FAILED with the log's end. */
export async function launchHolder(
  record: SandboxRecord,
  options: LaunchOptions,
  ctx: ProviderContext,
): Promise<Started> {
  const { folder } = options.paths
  await prepareFolder(record, options.paths)
  const argv = await builderArgv(record, options, ctx)
  assertNotAborted(ctx.signal)
  const started = await ctx.runner.spawn([...joinArgv(options.cgroups), ...argv], {
    cwd: folder,
    env: { ...options.env, ...launchEnv(record) },
    detached: { logFile: path.join(folder, 'log') },
  })
  let ended = false
  void started.exited.then(
    () => (ended = true),
    () => (ended = true),
  )
  const until = Date.now() + deadlineMs
  try {
    for (;;) {
      const found = parseLaunch(
        await readIfThere(path.join(folder, 'state')),
        await readIfThere(path.join(folder, 'info')),
      )
      if (found !== undefined) return identifyAll(found)
      assertNotAborted(ctx.signal)
      if (ended || Date.now() > until) throw await launchError(record, folder, ended)
      await sleep(2)
    }
  } catch (error) {
    await abandon(folder, started.pid)
    throw error
  }
}

interface LaunchNumbers {
  readonly monitor: number
  readonly anchor: number
  readonly init: number
}

/** Undefined until the root is ready. */
export function parseLaunch(state: string, info: string): LaunchNumbers | undefined {
  if (!/^ready$/m.test(state)) return undefined
  const number = (key: string): number => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(state)?.[1])
  const child = /"child-pid":\s*(\d+)/.exec(info)?.[1]
  const found = {
    monitor: number('monitor'),
    anchor: number('anchor'),
    init: child === undefined ? number('init') : Number(child),
  }
  return Object.values(found).some(Number.isNaN) ? undefined : found
}

function identifyAll(numbers: LaunchNumbers): Started {
  const of = (pid: number) => {
    const found = identify(pid)
    if (found === undefined)
      throw new HolmError('HOLM_ENVIRONMENT_FAILED', 'the sandbox ended right after its start')
    return found
  }
  return {
    init: of(numbers.init),
    monitor: of(numbers.monitor),
    anchor: of(numbers.anchor),
    startedAt: new Date().toISOString(),
  }
}

/** Whatever the half-started holder consists of is ended. */
async function abandon(folder: string, pid: number | undefined): Promise<void> {
  const state = await readIfThere(path.join(folder, 'state'))
  const info = await readIfThere(path.join(folder, 'info'))
  const init = /"child-pid":\s*(\d+)/.exec(info)?.[1]
  const numbers = [...state.matchAll(/^(?:init|anchor|monitor) (\d+)$/gm)].map(([, number]) => Number(number))
  for (const each of [...(init === undefined ? [] : [Number(init)]), ...numbers]) sendSignal(each, 'SIGKILL')
  if (pid !== undefined) sendSignal(-pid, 'SIGKILL')
}

async function launchError(record: SandboxRecord, folder: string, ended: boolean): Promise<HolmError> {
  const log = (await readIfThere(path.join(folder, 'log'))).trimEnd().split('\n').slice(-5).join('\n')
  const what = ended ? 'could not be started' : `was not ready within ${deadlineMs / 1000} s`
  return new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `environment ${record.name} ${what}: ${log || (ended ? 'its first process ended without a word' : 'no message')}`,
    {
      hint: 'Run `holm doctor` to see what this machine allows.',
      details: { log },
    },
  )
}

async function readIfThere(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return ''
    throw error
  })
}

/** Files that the launch needs, and an empty /tmp. The log starts anew. */
async function prepareFolder(record: SandboxRecord, { folder, volumes }: LaunchPaths): Promise<void> {
  for (const name of ['state', 'info', 'gate']) await rm(path.join(folder, name), { force: true })
  await writeFile(path.join(folder, 'log'), '', { mode: 0o600 })
  await mkdir(terminalsOf(folder), { recursive: true })
  await Promise.all(
    record.mounts.map(async (mount, index) => {
      if (mount.type === 'volume')
        await mkdir(volumeSource(mount.source, index, { folder, volumes }), { recursive: true })
    }),
  )
  if (record.base.kind === 'host') await prepareHostFolders(record, folder)
  else await prepareLayer(record, folder)
}

async function prepareHostFolders(record: SandboxRecord, folder: string): Promise<void> {
  for (const name of ['tmp', 'var-tmp']) {
    await removeTree(path.join(folder, name))
    await mkdir(path.join(folder, name))
    await chmod(path.join(folder, name), 0o1777)
  }
  await mkdir(path.join(folder, 'home'), { recursive: true, mode: 0o755 })
  await mkdir(path.join(folder, 'root'), { recursive: true })
  const hosts = await readIfThere('/etc/hosts')
  await writeFile(path.join(folder, 'hosts'), `${hosts.trimEnd()}\n127.0.1.1 ${record.hostname}\n`, {
    mode: 0o644,
  })
}

/** Name resolution and the name of the machine, as a container runtime writes them. */
async function prepareLayer(record: SandboxRecord, folder: string): Promise<void> {
  const layers = layersOf(record, folder)
  assertPlain(layers, record.name)
  const top = layers[0] ?? ''
  const etc = resolveInside(layers, '/etc')
  if (etc.inner !== '/etc' || (etc.exists && !etc.directory)) return
  await mkdir(path.join(top, 'etc'), { recursive: true })
  await chmod(path.join(top, 'etc'), 0o755)
  const files: Record<string, string> = {
    'resolv.conf': await readIfThere('/etc/resolv.conf'),
    hosts: `127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 ${record.hostname}\n`,
    hostname: `${record.hostname}\n`,
  }
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(top, 'etc', name)
    await rm(file, { force: true, recursive: true })
    await writeFile(file, text, { mode: 0o644, flag: 'wx' })
  }
}

/** The builder mounts there before the root is closed off: a link could lead it to this machine's own folders. */
function assertPlain(layers: readonly string[], name: string): void {
  const linked = ['/proc', '/sys', '/dev', '/etc'].find(
    (target) => resolveInside(layers, target).inner !== target,
  )
  if (linked === undefined) return
  throw new HolmError('HOLM_BASE_INVALID', `in the root of environment ${name}, ${linked} is a link`, {
    hint: 'Use a base in which it is a folder.',
  })
}

/** For the same reason no mount lies behind a link that another mount brings. */
function assertReachable(record: SandboxRecord): void {
  for (const outer of record.mounts) {
    if (outer.type !== 'bind') continue
    const behind = record.mounts.find(({ target }) => {
      const relative = path.posix.relative(outer.target, target)
      if (relative === '' || relative.startsWith('..')) return false
      return resolveInside([outer.source], relative).inner !== `/${relative}`
    })
    if (behind === undefined) continue
    throw new HolmError(
      'HOLM_BLUEPRINT_UNSUPPORTED',
      `the mount ${behind.target} lies behind a link in ${outer.source}`,
      {
        hint: 'Mount it where no link leads.',
      },
    )
  }
}

/** Folders that hold the files of a layered root while it is not mounted, top first. */
export function layersOf(record: SandboxRecord, folder: string): readonly string[] {
  if (record.layer === 'copy') return [path.join(folder, 'root')]
  const base = record.lower === undefined ? [] : [record.lower]
  return [path.join(folder, 'upper'), ...sharedFolders(record, folder), ...base]
}

async function builderArgv(
  record: SandboxRecord,
  options: LaunchOptions,
  ctx: ProviderContext,
): Promise<string[]> {
  assertReachable(record)
  const rootless = record.caller.uid !== 0
  const layers = record.base.kind === 'host' ? [] : layersOf(record, options.paths.folder)
  const plan = planRoot(record, loadMachine(), {
    ...options.paths,
    place: (target) =>
      layers.length === 0 ? path.posix.normalize(target) : resolveInside(layers, target).inner,
  })
  const outer = rootless
    ? ['unshare', '--user', '--map-root-user', '--mount']
    : ['unshare', '--mount', '--propagation', 'private']
  const builder = record.backend === 'bwrap' ? bwrapOf(record, plan) : await unshareOf(record, plan, ctx)
  return [...outer, 'sh', '-c', launchScript, 'holm-sandbox', ...builder]
}

function bwrapOf(record: SandboxRecord, plan: readonly Operation[]): string[] {
  const [program = 'bwrap', ...rest] = bwrapArgv(record, plan)
  return [program, '--die-with-parent', ...rest]
}

async function unshareOf(
  record: SandboxRecord,
  plan: readonly Operation[],
  ctx: ProviderContext,
): Promise<string[]> {
  const umount = record.base.kind === 'host' ? ['umount'] : await libraryStart('umount', '/dev/.old', ctx)
  const script = buildScript(record, plan, {
    mounts: loadMounts(),
    umount,
  })
  return [
    'setpriv',
    '--pdeathsig',
    'KILL',
    'unshare',
    // The launch's own namespace stays as it is: terminals are opened from there.
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    ...(record.network === 'none' ? ['--net'] : []),
    '--fork',
    '--kill-child',
    'sh',
    '-c',
    script,
    'holm-init',
  ]
}

function launchEnv(record: SandboxRecord): Record<string, string> {
  const { uids, gids } = idMaps(record.caller, record.base.kind)
  return {
    HOLM_UIDS: uids,
    HOLM_GIDS: gids,
    HOLM_TERMINALS: terminalOptions(record),
    HOLM_OVERLAY: record.layer === 'overlay' ? overlayOptions(record) : '',
  }
}

/** Relative to the environment's folder: no path of the user's needs to be escaped. */
export function overlayOptions(record: Pick<SandboxRecord, 'caller' | 'shared'>): string {
  const rootless = record.caller.uid !== 0
  return `lowerdir=${lowerNames(record).join(':')},upperdir=upper,workdir=work${rootless ? ',userxattr' : ''}`
}

/**
 * What the anchor's user namespace calls the ids of the one above. Root keeps all ids, and with them the owners of
 * files, but no power over this machine. An ordinary user has one id: its own with this machine's files, root with a
 * root filesystem of its own.
 */
export function idMaps(caller: Caller, base: SandboxRecord['base']['kind']): { uids: string; gids: string } {
  if (caller.uid === 0) return { uids: '0 0 4294967295', gids: '0 0 4294967295' }
  return base === 'host'
    ? { uids: `${caller.uid} 0 1`, gids: `${caller.gid} 0 1` }
    : { uids: '0 0 1', gids: '0 0 1' }
}
