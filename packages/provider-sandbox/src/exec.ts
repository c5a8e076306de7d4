import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ExecRequest, Process, ProviderContext } from '@holm/core'
import { joinArgv, prlimitArgv } from './cgroup.ts'
import { resolveInside } from './folders.ts'
import { resolveAccount, type Account } from './passwd.ts'
import { isInside, listChildren, sendSignal } from './processes.ts'
import type { Holder, SandboxRecord } from './record.ts'
import { outerUser, relayArgv } from './terminal.ts'

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const terminalSignals = 'INT,QUIT,TSTP'

export interface Entry {
  /** Folder of the environment. */
  readonly folder: string
  readonly account: Account
  readonly request: ExecRequest
}

/**
 * Command line that puts a program into a running environment, from this machine's own tools up to the last step: the
 * environment's shell only changes the folder and hands over the variables. Pure.
 *
 *   join control groups, no new privileges -> [terminal] -> pid, ipc, uts, net -> own session -> mounts and user
 *   -> shell -> program
 */
export function entryArgv(record: SandboxRecord, holder: Holder, entry: Entry): string[] {
  const { request, account, folder } = entry
  const rootless = record.caller.uid !== 0
  const start = [...joinArgv(holder.cgroups), 'setpriv', '--no-new-privs']
  if (!request.pty)
    return [...start, 'nsenter', ...outerUser(holder, rootless), ...insideWords(record, holder, entry)]
  // Ctrl-C is for the program: nsenter stands in the same group of the terminal and only waits.
  const words = [
    'env',
    `--ignore-signal=${terminalSignals}`,
    'nsenter',
    ...insideWords(record, holder, entry),
  ]
  return [...start, ...relayArgv(words, holder, { folder, account, rootless })]
}

/** What follows the first nsenter. */
function insideWords(record: SandboxRecord, holder: Holder, entry: Entry): string[] {
  const { request, account } = entry
  const at = (pid: number, kind: string): string => `/proc/${pid}/ns/${kind}`
  return [
    '--target',
    String(holder.init.pid),
    '--pid',
    '--ipc',
    '--uts',
    ...(record.network === 'none' ? ['--net'] : []),
    '--',
    // A terminal belongs to the session that it was opened for; without one the program gets a session of its own.
    ...(request.pty ? ['env', `--default-signal=${terminalSignals}`] : ['setsid']),
    // In the user namespace already: outside, all processes of this user on this machine would count.
    ...prlimitArgv(holder.limits),
    'nsenter',
    `--mount=${at(holder.init.pid, 'mnt')}`,
    `--user=${at(holder.anchor.pid, 'user')}`,
    ...(record.caller.uid === 0
      ? ['--setuid', String(account.uid), '--setgid', String(account.gid)]
      : ['--preserve-credentials']),
    '--',
    '/bin/sh',
    '-c',
    entryScript(Object.keys(entryVariables(record, entry)).length, request),
    'holm-exec',
    request.cwd ?? account.home,
    ...request.argv,
  ]
}

/** Variables travel under neutral names: this machine's loader must not obey an LD_PRELOAD that is meant for the inside. */
export function entryScript(count: number, request: ExecRequest): string {
  const words = Array.from({ length: count }, (_, index) => ` "$HOLM_V${index}"`).join('')
  const enter = request.cwd === undefined ? 'cd -- "$1" 2>/dev/null || cd /' : 'cd -- "$1" || exit 126'
  // `env` would take a program with "=" in its name for a variable.
  const program = request.argv[0]?.includes('=') ? ` /bin/sh -c 'exec "$0" "$@"' "$@"` : ' "$@"'
  return `${enter}; shift; PATH=${defaultPath}; exec env -i${words}${program}`
}

/** The variables of a program, later ones win: the account's, the environment's, the call's. */
export function entryVariables(
  record: SandboxRecord,
  { account, request }: Pick<Entry, 'account' | 'request'>,
): Record<string, string> {
  return {
    PATH: defaultPath,
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: account.shell,
    LANG: 'C.UTF-8',
    HOSTNAME: record.hostname,
    ...(request.pty ? { TERM: 'xterm-256color' } : {}),
    ...record.env,
    ...request.env,
  }
}

/** The environment of the command line of `entryArgv`. */
export function entryEnvironment(
  record: SandboxRecord,
  entry: Pick<Entry, 'account' | 'request'>,
  path: string,
): Record<string, string> {
  const variables = Object.entries(entryVariables(record, entry)).map(([name, value], index) => [
    `HOLM_V${index}`,
    `${name}=${value}`,
  ])
  return { PATH: path, ...Object.fromEntries(variables) }
}

/** Whose ids a program gets. HOLM_USAGE when the environment has only one user and another is asked for. */
export function resolveUser(record: SandboxRecord, layers: readonly string[], user = record.user): Account {
  const { caller, base } = record
  const own: Account =
    base.kind === 'host'
      ? { ...caller, shell: '/bin/sh' }
      : { name: 'root', uid: 0, gid: 0, home: '/root', shell: '/bin/sh' }
  if (user === undefined || user === own.name) return own
  const account = resolveAccount(user, {
    passwd: readInside(layers, '/etc/passwd'),
    group: readInside(layers, '/etc/group'),
  })
  if (caller.uid !== 0 && (account.uid !== own.uid || account.gid !== own.gid)) {
    throw new HolmError(
      'HOLM_USAGE',
      `user "${user}" is not there: without root the sandbox has one user, ${own.name}`,
      {
        hint: `Leave the user out, or name ${own.name}.`,
      },
    )
  }
  return account
}

function readInside(layers: readonly string[], file: string): string {
  const { inner } = resolveInside(layers, file)
  for (const layer of layers) {
    try {
      return readFileSync(path.join(layer, inner), 'utf8')
    } catch {
      continue
    }
  }
  return ''
}

/** HOLM_USAGE for what no program of this kernel can be given. */
export function assertWords({ argv, cwd = '', env = {} }: ExecRequest): void {
  const words = [...argv, cwd, ...Object.keys(env), ...Object.values(env)]
  const bad = words.find((word) => word.includes('\0'))
  if (bad === undefined && argv.length > 0) return
  const what = bad === undefined ? 'a program without a name' : `${JSON.stringify(bad)}: it holds a zero byte`
  throw new HolmError('HOLM_USAGE', `cannot start ${what}`, { hint: 'Leave it out.' })
}

/** HOLM_USAGE when the folder is missing inside. What cannot be looked at is left to the shell inside. */
export function assertFolder(record: SandboxRecord, holder: Holder, cwd: string): void {
  let found: ReturnType<typeof resolveInside>
  try {
    found = resolveInside([`/proc/${holder.init.pid}/root`], cwd)
  } catch {
    return
  }
  if (found.exists && found.directory) return
  throw new HolmError(
    'HOLM_USAGE',
    `folder ${cwd} ${found.exists ? 'is no folder' : 'does not exist'} in environment ${record.name}`,
    {
      hint: 'Name a folder that exists inside.',
      details: { cwd },
    },
  )
}

/** Starts it. Signals go to the program inside, not to the tools that put it there; those end as it ends. */
export async function spawnInside(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  options: { readonly request: ExecRequest; readonly init: number; readonly ctx: ProviderContext },
): Promise<Process> {
  const { request, init, ctx } = options
  assertNotAborted(ctx.signal)
  const started = await ctx.runner.spawn(argv, {
    cwd: '/',
    env,
    stdin: request.stdin ?? 'ignore',
    ...(request.pty ? { pty: request.pty } : {}),
  })
  let ended = false
  const exited = started.exited.finally(() => (ended = true))
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    const inside = await findInside(started.pid, { init, ended: () => ended })
    if (inside === undefined) return
    // Without a terminal the program leads a group of its own.
    if (request.pty || !sendSignal(-inside, signal)) sendSignal(inside, signal)
  }
  const onAbort = (): void => void kill('SIGKILL')
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  void exited.then(
    () => ctx.signal.removeEventListener('abort', onAbort),
    () => undefined,
  )
  if (ctx.signal.aborted) onAbort()
  return {
    stdin: started.stdin,
    stdout: started.stdout,
    stderr: started.stderr,
    resize: (size) => started.resize(size),
    kill,
    exited,
  }
}

/** The first process below the tools that is in the environment. Waits for it, or for the end. */
async function findInside(
  pid: number | undefined,
  { init, ended }: { readonly init: number; readonly ended: () => boolean },
): Promise<number | undefined> {
  if (pid === undefined) return undefined
  while (!ended()) {
    let [child] = listChildren(pid)
    while (child !== undefined && !isInside(child, init)) [child] = listChildren(child)
    if (child !== undefined) return child
    await sleep(1)
  }
  return undefined
}
