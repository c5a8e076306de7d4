import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { HolmError, abortError, assertNotAborted, signalNumber } from '@holm/core'
import type { Exit, ExecRequest, Process, ProviderContext } from '@holm/core'
import { argv } from './argv.ts'
import { notFound, notRunning } from './failures.ts'
import { createMarked, type Marked } from './marker.ts'
import { parseFailure } from './parse.ts'
import { killWords, ownCodeWords, pipeWords, programScript, storeWords, terminalWords } from './program.ts'
import type { Session } from './session.ts'
import { stateOf } from './state.ts'
import { requireStored, type Stored } from './store.ts'

/** A program that is being started, or runs. */
interface Running {
  readonly session: Session
  readonly stored: Stored
  readonly request: ExecRequest
  readonly nonce: string
  readonly local: Process
  readonly out: Marked
  readonly error: Marked
  readonly ctx: ProviderContext
}

/** How long a program may take to appear after its connection was asked for. */
const appearMs = 60_000

/** One limactl, and one more for a terminal, a signal or a code of 255. */
export async function startExec(
  session: Session,
  name: string,
  { request, ctx }: { readonly request: ExecRequest; readonly ctx: ProviderContext },
): Promise<Process> {
  assertWords(request)
  assertNotAborted(ctx.signal)
  const stored = await requireStored(session, name)
  if (stored.draft) throw notRunning(name)
  const running = await connect(session, stored, { request, ctx })
  const pid = await awaitStart(running)
  const process = processOf(running, pid)
  if (!ctx.signal.aborted) return abortable(process, running)
  await end(process, running)
  throw abortError(ctx.signal)
}

async function connect(
  session: Session,
  stored: Stored,
  { request, ctx }: { readonly request: ExecRequest; readonly ctx: ProviderContext },
): Promise<Running> {
  const nonce = `holm${randomBytes(12).toString('hex')}`
  const script = programScript({ request, record: stored.record, nonce })
  if (request.pty) await storeScript(session, stored, { nonce, script, ctx })
  const words = request.pty ? terminalWords(nonce) : pipeWords(script, nonce)
  // Not under the caller's signal: ending limactl would leave the program inside running.
  const local = await ctx.runner.spawn(argv.shell(stored.instance, words), {
    env: session.env,
    cwd: '/',
    stdin: 'pipe',
    ...(request.pty && { pty: request.pty }),
  })
  if (!request.pty) {
    local.stdin?.write(script)
    if (request.stdin !== 'pipe') local.stdin?.end()
  }
  const out = createMarked(nonce)
  const error = createMarked(nonce)
  local.stdout.pipe(out.stream)
  local.stderr.pipe(error.stream)
  return { session, stored, request, nonce, local, out, error, ctx }
}

async function storeScript(
  session: Session,
  stored: Stored,
  { nonce, script, ctx }: { readonly nonce: string; readonly script: string; readonly ctx: ProviderContext },
): Promise<void> {
  const { code, stderr } = await ctx.runner.run(argv.shell(stored.instance, storeWords(nonce)), {
    env: session.env,
    cwd: '/',
    signal: ctx.signal,
    input: script,
    timeoutMs: appearMs,
  })
  if (code !== 0 || /is stopped/.test(stderr)) throw await explainStart(session, stored, { stderr, ctx })
}

/** The process id inside. Waits for the marks on both streams: what comes before them is not the program's. */
async function awaitStart(running: Running): Promise<string> {
  const { out, error, request, local } = running
  const marks = Promise.all([out.found, request.pty ? '' : error.found])
  const timer = setTimeout(() => void local.kill('SIGKILL'), appearMs)
  const [pid, second] = await marks.finally(() => clearTimeout(timer))
  if (pid !== undefined && second !== undefined) return pid
  await local.kill('SIGKILL')
  const stderr = `${error.noise()}${request.pty ? out.noise() : ''}`
  throw await explainStart(running.session, running.stored, { stderr, ctx: running.ctx })
}

interface Refused {
  readonly stderr: string
  readonly ctx: ProviderContext
}

/** Asked only after a failure: a state that is looked at before every program costs a limactl more. */
async function explainStart(session: Session, stored: Stored, { stderr, ctx }: Refused): Promise<HolmError> {
  if (ctx.signal.aborted) return abortError(ctx.signal)
  const { name } = stored.record
  const { status } = await stateOf(session, stored, { ...ctx, signal: AbortSignal.timeout(30_000) })
  if (status === 'absent') return notFound(name)
  if (status !== 'running') return notRunning(name)
  const said = parseFailure(stderr) || 'the connection ended at once'
  return new HolmError('HOLM_ENVIRONMENT_FAILED', `no program can be started in ${name}: ${said}`, {
    hint: `Look at ${session.folder(stored.instance)}/ha.stderr.log, then stop and start it.`,
  })
}

function processOf(running: Running, pid: string): Process {
  const { local, out, error, request } = running
  const sent = new Set<NodeJS.Signals>()
  let over = false
  const exited = local.exited.then((exit) => {
    over = true
    return exitOf(running, { exit, sent })
  })
  // A caller that only wants the streams must not be ended by an unhandled rejection.
  exited.catch(() => undefined)
  return {
    stdin: request.stdin === 'pipe' ? local.stdin : null,
    stdout: out.stream,
    stderr: request.pty ? Readable.from([]) : error.stream,
    exited,
    kill: async (signal) => {
      if (over) return
      sent.add(signal)
      await runQuietly(running, killWords(signal, pid, { terminal: request.pty !== undefined }))
    },
    resize: (size) => (request.pty && !over ? local.resize(size) : Promise.resolve()),
  }
}

interface Ended {
  readonly exit: Exit
  readonly sent: ReadonlySet<NodeJS.Signals>
}

async function exitOf(running: Running, { exit, sent }: Ended): Promise<Exit> {
  const { stored } = running
  const { code } = exit
  // limactl itself was killed, or ssh lost the machine: the program said nothing.
  const lost = exit.signal !== undefined || (code === 255 && !(await isOwnCode(running)))
  if (lost) {
    running.out.stream.end()
    running.error.stream.end()
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `the connection to ${stored.record.name} was lost`, {
      hint: `See with \`holm status ${stored.record.name}\` whether it still runs.`,
    })
  }
  const signal = [...sent].find((name) => code === 128 + signalNumber(name))
  return { code, ...(signal && { signal }) }
}

async function isOwnCode(running: Running): Promise<boolean> {
  return (await runQuietly(running, ownCodeWords(running.nonce))) === 0
}

/** Beside the program, whatever became of its call. */
async function runQuietly({ session, stored, ctx }: Running, words: readonly string[]): Promise<number> {
  try {
    const options = { env: session.env, cwd: '/', timeoutMs: 20_000 }
    return (await ctx.runner.run(argv.shell(stored.instance, words), options)).code
  } catch {
    return -1
  }
}

function abortable(process: Process, running: Running): Process {
  const { signal } = running.ctx
  const onAbort = (): void => void end(process, running)
  signal.addEventListener('abort', onAbort, { once: true })
  const release = (): void => signal.removeEventListener('abort', onAbort)
  process.exited.then(release, release)
  return process
}

/** Milliseconds that a connection may outlive its program: something in the background may hold the output. */
const lingerMs = 2000

async function end(process: Process, { local }: Running): Promise<void> {
  await process.kill('SIGKILL')
  const timer = setTimeout(() => void local.kill('SIGKILL'), lingerMs)
  await local.exited.finally(() => clearTimeout(timer))
}

/** HOLM_USAGE for what no program can be given. */
function assertWords({ argv: words, cwd = '', env = {} }: ExecRequest): void {
  const bad = [...words, cwd, ...Object.keys(env), ...Object.values(env)].find((word) => word.includes('\0'))
  if (bad === undefined && words.length > 0) return
  const what = bad === undefined ? 'a program without a name' : `${JSON.stringify(bad)}: it holds a zero byte`
  throw new HolmError('HOLM_USAGE', `cannot start ${what}`, { hint: 'Leave it out.' })
}
