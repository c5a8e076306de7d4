import { readFileSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ExecRequest, Process, ProviderContext, TerminalSize } from '@holm/core'
import { resolveAccount, type Account } from './accounts.ts'
import { attachArgv } from './attach.ts'
import type { Container } from './container.ts'
import { resolveInside } from './files-on-disk.ts'
import { isInside, innerPid, listChildren, listMembers, loadStat, sendSignal } from './processes.ts'
import type { LxcRecord } from './record.ts'
import type { Session } from './session.ts'

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface Running {
  readonly record: LxcRecord
  readonly container: Container
}

/** Starts a program in a running container. */
export async function execInside(
  session: Session,
  { record, container }: Running,
  { request, ctx }: { readonly request: ExecRequest; readonly ctx: ProviderContext },
): Promise<Process> {
  assertWords(request)
  assertNotAborted(ctx.signal)
  const root = `/proc/${container.init.pid}/root`
  const account = loadAccount(root, request.user ?? record.user ?? 'root')
  if (request.cwd !== undefined) assertFolder(record, root, request.cwd)
  const variables = variablesOf(record, account, request)
  const argv = [
    ...attachArgv(session, record.name).slice(0, -1),
    ...identityFlags(account, root),
    '--',
    ...identityWords(account, root),
    '/bin/sh',
    '-c',
    entryScript(variables, request),
    'holm-exec',
    request.cwd ?? account.home,
    ...request.argv,
  ]
  const started = await ctx.runner.spawn(argv, {
    cwd: '/',
    env: { ...session.env, ...carriers(variables) },
    stdin: request.stdin ?? 'ignore',
    ...(request.pty ? { pty: request.pty } : {}),
  })
  const pty = request.pty !== undefined
  const found = follow(started, { session, record, container, pty, ctx })
  if (pty) await passTerminal({ session, record, ctx, attach: started.pid }, await found.entered())
  return found.process
}

/** HOLM_USAGE for what no program of this kernel can be given. */
export function assertWords({ argv, cwd = '', env = {} }: ExecRequest): void {
  const bad = [...argv, cwd, ...Object.keys(env), ...Object.values(env)].find((word) => word.includes('\0'))
  if (bad === undefined && argv.length > 0) return
  const what = bad === undefined ? 'a program without a name' : `${JSON.stringify(bad)}: it holds a zero byte`
  throw new HolmError('HOLM_USAGE', `cannot start ${what}`, { hint: 'Leave it out.' })
}

function loadAccount(root: string, user: string): Account {
  const read = (file: string): string => {
    try {
      return readFileSync(path.join(root, resolveInside([root], file).inner), 'utf8')
    } catch {
      return ''
    }
  }
  if (user === 'root' || user === '0')
    return { name: 'root', uid: 0, gid: 0, home: '/root', shell: '/bin/sh', groups: [] }
  return resolveAccount(user, { passwd: read('/etc/passwd'), group: read('/etc/group') })
}

function assertFolder({ name }: LxcRecord, root: string, cwd: string): void {
  const { kind } = resolveInside([root], cwd)
  if (kind === 'directory') return
  throw new HolmError(
    'HOLM_USAGE',
    `folder ${cwd} ${kind === undefined ? 'does not exist' : 'is no folder'} in environment ${name}`,
    {
      hint: 'Name a folder that exists inside.',
      details: { cwd },
    },
  )
}

const setprivs = ['/usr/bin/setpriv', '/bin/setpriv']

/** setpriv of util-linux; busybox has one that cannot change users. */
function hasSetpriv(root: string): boolean {
  return setprivs.some((file) => {
    const { inner, kind } = resolveInside([root], file)
    return kind === 'file' && !inner.endsWith('/busybox')
  })
}

/** LXC changes user and group itself; further groups it would drop. */
function identityFlags(account: Account, root: string): string[] {
  if (account.uid === 0 && account.gid === 0) return []
  if (account.groups.length > 0 && hasSetpriv(root)) return []
  return ['-u', String(account.uid), '-g', String(account.gid)]
}

function identityWords({ uid, gid, groups }: Account, root: string): string[] {
  if (groups.length === 0 || (uid === 0 && gid === 0) || !hasSetpriv(root)) return []
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join(',')}`, '--']
}

/** Later ones win: the account's, the environment's, the call's. */
export function variablesOf(
  record: Pick<LxcRecord, 'hostname' | 'env'>,
  account: Account,
  request: ExecRequest,
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

/** Variables travel under neutral names: this machine's loader must not obey an LD_PRELOAD that is meant for the inside. */
function carriers(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value], index) => [`HOLM_V${index}`, `${name}=${value}`]),
  )
}

/** Names that a shell sets itself, or refuses to set. */
const shellNames = new Set([
  '_',
  'PWD',
  'OLDPWD',
  'IFS',
  'OPTIND',
  'OPTARG',
  'LINENO',
  'PPID',
  'UID',
  'EUID',
  'GROUPS',
  'SHELLOPTS',
  'BASHOPTS',
  'RANDOM',
  'SECONDS',
  'PS4',
])

/**
 * Changes the folder and hands the variables over. Values stay in the shell's memory: only those whose names a shell cannot export go
 * through the words of `env`, which others could read.
 */
export function entryScript(variables: Readonly<Record<string, string>>, request: ExecRequest): string {
  const names = Object.keys(variables)
  const lines = names.map((name, index) =>
    isPlain(name) ? `export ${name}="\${HOLM_V${index}#*=}"; unset HOLM_V${index}` : '',
  )
  const others = names.flatMap((name, index) => (isPlain(name) ? [] : [index]))
  const enter = request.cwd === undefined ? 'cd -- "$1" 2>/dev/null || cd /' : 'cd -- "$1" || exit 126'
  const wait = request.pty ? `${waitScript}; ` : ''
  const before = `${wait}${enter}; shift; unset OLDPWD`
  const plain = lines.filter(Boolean).join('; ')
  if (others.length === 0) return `${before}; ${plain}; exec "$@"`
  const gone = others.map((index) => ` -u HOLM_V${index}`).join('')
  const given = others.map((index) => ` "$HOLM_V${index}"`).join('')
  // `env` would take a program with "=" in its name for a variable.
  const program = request.argv[0]?.includes('=') ? ` /bin/sh -c 'exec "$0" "$@"' "$@"` : ' "$@"'
  return `${before}; ${plain}; exec env${gone}${given}${program}`
}

function isPlain(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !shellNames.has(name)
}

interface Following {
  readonly session: Session
  readonly record: LxcRecord
  readonly container: Container
  readonly pty: boolean
  readonly ctx: ProviderContext
}

type Started = Awaited<ReturnType<ProviderContext['runner']['spawn']>>

/** Signals go to the program inside, never to lxc-attach, which ends as the program ends. */
function follow(
  started: Started,
  { session, record, container, pty, ctx }: Following,
): { readonly process: Process; readonly entered: () => Promise<number | undefined> } {
  let ended = false
  const exited = started.exited.finally(() => (ended = true))
  const entered = (): Promise<number | undefined> =>
    findProgram(started.pid, { init: container.init.pid, ended: () => ended })
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    const program = await entered()
    if (program === undefined) return
    const refused = signalProgram(program, { init: container.init.pid, pty, signal })
    if (refused.length > 0) await signalFromInside({ session, record, ctx }, refused, signal)
  }
  const onAbort = (): void => void kill('SIGKILL').catch(() => undefined)
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  void exited.catch(() => undefined).then(() => ctx.signal.removeEventListener('abort', onAbort))
  if (ctx.signal.aborted) onAbort()
  const { stdin, stdout, stderr, resize } = started
  const process = { stdin, stdout, stderr, resize: (size: TerminalSize) => resize(size), kill, exited }
  return { process, entered }
}

/** Said by the entry script on a terminal, before anything else. */
const waitScript = 'kill -STOP $$'

/**
 * lxc-attach opens a terminal inside and passes bytes on to ours, which therefore may not touch them; it leaves one setting on, which turns
 * line ends into two characters, and throws away what is typed too early. So the program waits at its start until that is put right.
 */
async function passTerminal(
  {
    session,
    record,
    ctx,
    attach,
  }: Pick<Following, 'session' | 'record' | 'ctx'> & { readonly attach: number | undefined },
  program: number | undefined,
): Promise<void> {
  if (program === undefined || attach === undefined) return
  if (!(await waitForStop(program))) return
  try {
    const terminal = readlinkSync(`/proc/${attach}/fd/0`)
    await ctx.runner.run(['stty', '-F', terminal, '-opost'], {
      env: session.env,
      timeoutMs: terminalDeadlineMs,
    })
  } finally {
    // Whatever became of its terminal, it does not wait for ever.
    if (sendSignal(program, 'SIGCONT') === 'refused')
      await signalFromInside({ session, record, ctx }, [program], 'SIGCONT')
  }
}

const terminalDeadlineMs = 60_000

/** False: the program ended. */
async function waitForStop(program: number): Promise<boolean> {
  const until = Date.now() + terminalDeadlineMs
  for (;;) {
    const stat = loadStat(program)
    if (stat === undefined || stat.state === 'Z') return false
    if (stat.state === 'T') return true
    if (Date.now() > until)
      throw new HolmError(
        'HOLM_TIMEOUT',
        `a program on a terminal did not start within ${terminalDeadlineMs / 1000} s`,
      )
    await sleep(1)
  }
}

/** The process that lxc-attach put inside. Waits for it, or for the end. */
async function findProgram(
  pid: number | undefined,
  { init, ended }: { readonly init: number; readonly ended: () => boolean },
): Promise<number | undefined> {
  if (pid === undefined) return undefined
  while (!ended()) {
    const found = listChildren(pid).find((child) => isInside(child, init))
    if (found !== undefined) return found
    await sleep(1)
  }
  return undefined
}

/** Signals the program's group (on a terminal: its session, when it must end). Returns those that belong to others. */
function signalProgram(
  program: number,
  { init, pty, signal }: { readonly init: number; readonly pty: boolean; readonly signal: NodeJS.Signals },
): number[] {
  const stat = loadStat(program)
  if (stat === undefined) return []
  const wide = pty && (signal === 'SIGKILL' || signal === 'SIGHUP' || signal === 'SIGTERM')
  const list = (): number[] => listMembers(init, wide ? { session: stat.session } : { group: stat.group })
  const refused = new Set<number>()
  const seen = new Set<number>()
  // What is forked meanwhile is found in the next round.
  for (let round = 0; round < (signal === 'SIGKILL' ? 5 : 1); round += 1) {
    const fresh = list().filter((pid) => !seen.has(pid))
    if (fresh.length === 0) break
    for (const pid of fresh) {
      seen.add(pid)
      if (sendSignal(pid, signal) === 'refused') refused.add(pid)
    }
  }
  return [...refused]
}

/** An ordinary user may not signal other users of its own container: root inside does it. */
async function signalFromInside(
  { session, record, ctx }: Pick<Following, 'session' | 'record' | 'ctx'>,
  pids: readonly number[],
  signal: NodeJS.Signals,
): Promise<void> {
  const inner = pids.map(innerPid).filter((pid) => pid !== undefined)
  const words = [
    '/bin/sh',
    '-c',
    'kill "$@" 2>/dev/null; :',
    'sh',
    `-${signal.slice(3)}`,
    ...inner.map(String),
  ]
  await ctx.runner.run([...attachArgv(session, record.name), ...words], { env: session.env, timeoutMs: 5000 })
}
