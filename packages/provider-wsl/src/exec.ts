import { randomBytes } from 'node:crypto'
import { assertNotAborted } from '@holm/core'
import type { ExecRequest, Exit, Process, ProviderContext } from '@holm/core'
import { assertWords, passEnvironment, shellArgv } from './argv.ts'
import type { WslRecord } from './record.ts'
import { codeScript, execScript, innerScript, killScript } from './scripts.ts'
import type { Session } from './session.ts'
import { tidyContext } from './wait.ts'
import { runShell } from './wsl.ts'

/** Names that a shell can export. Others go through `env`, where a list of processes shows them for a moment. */
const exportable = /^[A-Za-z_][A-Za-z0-9_]*$/

/** What wsl.exe ends with when it fails itself, as Windows and as a Linux parent sees -1. */
const failureCodes = new Set([255, 0xffff_ffff, -1])

export interface ExecPlan {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** Command line and environment of wsl.exe for a program inside. Pure. */
export function planExec(
  {
    distribution,
    token,
    base,
  }: {
    readonly distribution: string
    readonly token: string
    readonly base: Readonly<Record<string, string>>
  },
  record: Pick<WslRecord, 'env' | 'user'>,
  request: ExecRequest,
): ExecPlan {
  const variables = { ...(request.pty ? { TERM: 'xterm-256color' } : {}), ...record.env, ...request.env }
  const odd = Object.entries(variables).filter(([name]) => !exportable.test(name))
  const plain = Object.fromEntries(Object.entries(variables).filter(([name]) => exportable.test(name)))
  const { env, count } = passEnvironment(base, plain)
  const program =
    odd.length === 0
      ? request.argv
      : ['env', ...odd.map(([name, value]) => `${name}=${value}`), ...request.argv]
  const mode = request.pty ? 'terminal' : 'pipes'
  const about = [
    innerScript,
    token,
    mode,
    String(count),
    request.user ?? record.user ?? '',
    request.cwd ?? '',
  ]
  return {
    argv: shellArgv({ distribution, script: execScript, words: ['holm-exec', ...about, ...program] }),
    env,
  }
}

export async function execInside(
  session: Session,
  { record, request }: { readonly record: WslRecord; readonly request: ExecRequest },
  ctx: ProviderContext,
): Promise<Process> {
  assertNotAborted(ctx.signal)
  const { machine } = session
  const token = randomBytes(8).toString('hex')
  const distribution = session.distribution(record.name)
  const plan = planExec({ distribution, token, base: machine.env }, record, request)
  const argv = [machine.wsl, ...plan.argv]
  assertWords(request, argv)
  const child = await ctx.runner.spawn(argv, {
    env: plan.env,
    ...(machine.distribution === undefined ? {} : { cwd: '/' }),
    stdin: request.stdin ?? 'ignore',
    ...(request.pty ? { pty: request.pty } : {}),
  })
  let ended = false
  const exited = child.exited
    .finally(() => (ended = true))
    .then((exit) => trueExit(session, { distribution, token, exit }, ctx))
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (ended) return
    const words = [token, signal.slice(3), request.pty ? 'terminal' : 'pipes']
    const doing = `signal a program in environment ${record.name}`
    // Asked of the distribution: wsl.exe passes no signals on, and its own death leaves the program running.
    await runShell(
      machine,
      { distribution, script: killScript, words, doing, timeoutMs: 20_000 },
      tidyContext(ctx),
    )
  }
  const onAbort = (): void =>
    void kill('SIGKILL')
      .catch(() => undefined)
      .then(() => child.kill('SIGKILL'))
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  void exited.catch(() => undefined).then(() => ctx.signal.removeEventListener('abort', onAbort))
  if (ctx.signal.aborted) onAbort()
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    resize: (size) => child.resize(size),
    kill,
    exited,
  }
}

/** The code that wsl.exe cannot tell is asked for; when nobody knows it, the distribution ended under the program. */
async function trueExit(
  session: Session,
  {
    distribution,
    token,
    exit,
  }: { readonly distribution: string; readonly token: string; readonly exit: Exit },
  ctx: ProviderContext,
): Promise<Exit> {
  if (!failureCodes.has(exit.code)) return exit
  const killed: Exit = { code: 137, signal: 'SIGKILL' }
  const { running } = await session.look(tidyContext(ctx)).then(({ distributions }) => distributions)
  if (!running.has(distribution)) return killed
  const asked = { distribution, script: codeScript, words: [token], doing: 'ask for an exit code' }
  const { code, text } = await runShell(session.machine, asked, tidyContext(ctx))
  return code === 0 && /^\d+$/.test(text.trim()) ? { code: Number(text) } : killed
}
