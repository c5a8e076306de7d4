import { constants } from 'node:os'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, abortError, assertNotAborted, isHolmError, notRunning } from '@holm/core'
import type { ExecRequest, Exit, Process, ProviderContext, TerminalSize } from '@holm/core'
import { resolveAccount, type Account } from '../accounts.ts'
import { assertWords, variablesOf } from '../exec.ts'
import type { Operation } from './client.ts'
import { entryArgv, entryScript, signalScript, variablesLine } from './exec-script.ts'
import { endInput, isOpen, openInput, openOutput, type Lead, type Sockets } from './exec-streams.ts'
import { parseRecord, type Instance, type IncusRecord } from './record.ts'
import { pathOf, type IncusSession } from './session.ts'
import { createEndFilter, createTerminalEnd, type TerminalEnd } from './terminal-end.ts'
import { openWebSocket } from './websocket.ts'

interface Call {
  readonly request: ExecRequest
  readonly ctx: ProviderContext
}

/** Starts a program in a running instance. */
export async function execInside(
  session: IncusSession,
  instance: Instance,
  { request, ctx }: Call,
): Promise<Process> {
  assertWords(request)
  assertNotAborted(ctx.signal)
  const record = parseRecord(instance)
  const { account, identity, ids } = await resolveIdentity(
    session,
    { instance, user: request.user ?? record.user ?? 'root' },
    ctx,
  )
  const pty = request.pty !== undefined
  const script = entryScript({ pty, cwd: request.cwd, identity })
  const terminal = pty ? createTerminalEnd() : undefined
  const argv = entryArgv(script, { terminal, words: [request.cwd ?? account.home, ...request.argv] })
  const started = await startProgram(session, {
    instance,
    argv,
    ids,
    ...(request.pty ? { pty: request.pty } : {}),
  })
  return enter(session, { instance, record, started, account, terminal }, { request, ctx })
}

interface Identity {
  readonly account: Account
  readonly identity: readonly string[]
  readonly ids: { readonly user?: number; readonly group?: number }
}

const root: Account = { name: 'root', uid: 0, gid: 0, home: '/root', shell: '/bin/sh', groups: [] }

/** The daemon takes numbers, and no further groups: those are setpriv's to give. */
async function resolveIdentity(
  session: IncusSession,
  { instance, user }: { readonly instance: Instance; readonly user: string },
  ctx: ProviderContext,
): Promise<Identity> {
  if (user === 'root' || user === '0') return { account: root, identity: [], ids: {} }
  const script = 'cat /etc/passwd; printf "\\0"; cat /etc/group; printf "\\0"; setpriv --version 2>/dev/null'
  const { output } = await runInside(session, instance, { script, ctx })
  const [passwd = '', group = '', setpriv = ''] = output.split('\0')
  const account = resolveAccount(user, { passwd, group })
  const { uid, gid, groups } = account
  if (groups.length === 0 || !setpriv.includes('util-linux'))
    return { account, identity: [], ids: { user: uid, group: gid } }
  return {
    account,
    identity: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join(',')}`, '--'],
    ids: {},
  }
}

interface ProgramCall {
  readonly instance: Instance
  readonly argv: readonly string[]
  readonly ids: Identity['ids']
  readonly pty?: TerminalSize
}

interface Started {
  readonly id: string
  readonly sockets: Sockets
  /** The end of the operation, however it ends. */
  readonly done: Promise<Operation<{ readonly return?: number } | null>>
  /** Its end is not waited for any longer. */
  forget(): void
}

const dayMs = 2 ** 31 - 1

async function startProgram(
  session: IncusSession,
  { instance, argv, ids, pty }: ProgramCall,
): Promise<Started> {
  const client = session.client()
  const body = {
    command: argv,
    'wait-for-websocket': true,
    interactive: pty !== undefined,
    ...(pty ? { width: pty.cols, height: pty.rows } : {}),
    ...ids,
    cwd: '/',
  }
  const begun = await client
    .begin<{ readonly fds: Readonly<Record<string, string>> }>(
      { method: 'POST', path: pathOf(instance.name, '/exec'), body },
      { action: 'start a program' },
    )
    .catch((error: unknown) => {
      throw runsNoMore(error, instance)
    })
  const { id, metadata } = begun
  const open = (fd: string): ReturnType<typeof openWebSocket> =>
    openWebSocket(client.socket, `/1.0/operations/${id}/websocket?secret=${metadata.fds[fd] ?? ''}`)
  const names = pty ? ['control', '0'] : ['control', '0', '1', '2']
  const [control, input, output, errors] = await Promise.all(names.map(open))
  if (!control || !input) throw new HolmError('HOLM_BUG', 'a program without streams')
  const controller = new AbortController()
  const done = client.wait<{ readonly return?: number } | null>(id, {
    timeoutMs: dayMs,
    action: 'wait for a program',
    signal: controller.signal,
  })
  done.catch(() => undefined)
  const sockets = { control, input, output: output ?? input, errors }
  return { id, sockets, done, forget: () => controller.abort() }
}

function runsNoMore(error: unknown, instance: Instance): unknown {
  const text = error instanceof Error ? error.message : ''
  const { name } = parseRecord(instance)
  if (/not running|is frozen/i.test(text))
    return notRunning(name, { cause: error, ...(/frozen/i.test(text) ? { status: 'paused' as const } : {}) })
  return error
}

interface Entering {
  readonly instance: Instance
  readonly record: IncusRecord
  readonly started: Started
  readonly account: Account
  readonly terminal: TerminalEnd | undefined
}

/** How long a program may take to say that it is there. */
const enterMs = 60_000

async function enter(
  session: IncusSession,
  { instance, record, started, account, terminal }: Entering,
  { request, ctx }: Call,
): Promise<Process> {
  const { sockets } = started
  const { promise: ended, resolve: end } = Promise.withResolvers<number>()
  const onEnd = (code: number): void => {
    end(code)
    sendControl(sockets, { command: 'signal', signal: constants.signals.SIGKILL })
    // What is in the background keeps the terminal, and the daemon would wait for its end.
    setImmediate(() => output.finish())
  }
  const output = openOutput(sockets.output, terminal && createEndFilter(terminal, onEnd))
  const errors = sockets.errors ? openOutput(sockets.errors) : undefined
  const lead = errors ?? output
  const first = await withDeadline(lead.line(), record.name)
  const [, pid, leader = pid] = /^holm (\d+)(?: (\d+))?$/.exec(first ?? '') ?? []
  if (pid === undefined || leader === undefined)
    throw await entryError({ first, lead, done: started.done, record, request })
  sockets.input.send(
    Buffer.from(variablesLine(variablesOf(record, account, request), request.argv[0] ?? '')),
    { binary: true },
  )
  if (terminal) await withDeadline(lead.line(), record.name)
  output.pass()
  errors?.pass()
  const process = follow(session, { instance, started, pid, leader, ended, output, errors }, request)
  return abortable(process, ctx.signal)
}

async function withDeadline<T>(work: Promise<T>, name: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () =>
      reject(new HolmError('HOLM_TIMEOUT', `a program in ${name} did not start within ${enterMs / 1000} s`)),
    enterMs,
  )
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

async function entryError({
  first,
  lead,
  done,
  record,
  request,
}: {
  readonly first: string | undefined
  readonly lead: Lead
  readonly done: Started['done']
  readonly record: IncusRecord
  readonly request: ExecRequest
}): Promise<HolmError> {
  if (first === 'holm cwd')
    return new HolmError(
      'HOLM_USAGE',
      `folder ${request.cwd ?? ''} does not exist in environment ${record.name}, or cannot be entered`,
      {
        hint: 'Name a folder that exists inside.',
        details: { cwd: request.cwd },
      },
    )
  lead.pass()
  lead.stream.resume()
  const { err } = await withDeadline(done, record.name)
  if (/not running/i.test(err)) return notRunning(record.name)
  return new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `no program can be started in ${record.name}: ${[first, err].filter(Boolean).join('; ') || 'it ended at once'}`,
    {
      hint: 'Check that the base has /bin/sh.',
    },
  )
}

interface Following {
  readonly instance: Instance
  readonly started: Started
  readonly pid: string
  /** Of its group and session. */
  readonly leader: string
  /** The code of a program that had a terminal, when all it said was read. */
  readonly ended: Promise<number>
  readonly output: Lead
  readonly errors: Lead | undefined
}

function follow(
  session: IncusSession,
  { instance, started, pid, leader, ended, output, errors }: Following,
  request: ExecRequest,
): Process {
  const { sockets, done } = started
  const pty = request.pty !== undefined
  const sent = new Set<NodeJS.Signals>()
  let over = false
  // The end of a terminal is no end for the daemon until its client hangs up, too.
  if (pty) void hangUp(output, started)
  const exited = waitForEnd({ done, ended, output, errors, sent, sockets }).finally(() => (over = true))
  exited.catch(() => undefined)
  const stdin = request.stdin === 'pipe' ? openInput(sockets.input, { pty }) : null
  if (stdin === null && !pty) endInput(sockets.input)
  return {
    stdin,
    stdout: output.stream,
    stderr: errors?.stream ?? emptyStream(),
    exited,
    kill: async (signal) => {
      if (over) return
      sent.add(signal)
      const wide = pty && ['SIGKILL', 'SIGHUP', 'SIGTERM'].includes(signal)
      await signalProgram(session, instance, { signal, pid, leader, wide })
    },
    resize: async ({ cols, rows }) => {
      if (!pty) return
      sendControl(sockets, { command: 'window-resize', args: { width: String(cols), height: String(rows) } })
    },
  }
}

function sendControl({ control }: Sockets, words: object): void {
  if (isOpen(control)) control.send(JSON.stringify(words), { binary: false })
}

function emptyStream(): Lead['stream'] {
  return Readable.from([])
}

interface Ending extends Pick<Following, 'ended'> {
  readonly done: Started['done']
  readonly output: Lead
  readonly errors: Lead | undefined
  readonly sent: ReadonlySet<NodeJS.Signals>
  readonly sockets: Sockets
}

async function waitForEnd({ done, ended, output, errors, sent, sockets }: Ending): Promise<Exit> {
  try {
    const code = await Promise.race([ended, codeOf(done)])
    await Promise.all([output.ended, errors?.ended])
    // The daemon's word for a program that ended with its environment.
    const real = code < 0 ? 137 : code
    const signal = [...sent].find((name) => constants.signals[name] === real - 128)
    // Those of a terminal are hung up in order.
    if (errors) endAll(sockets)
    return { code: real, ...(signal === undefined ? {} : { signal }) }
  } catch (error) {
    endAll(sockets)
    throw error
  }
}

async function codeOf(done: Started['done']): Promise<number> {
  const { metadata, err } = await done
  if (metadata?.return !== undefined) return metadata.return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `the program was lost: ${err || 'no exit code'}`)
}

const hangUpMs = 2000

/** A daemon whose client hangs up while it says its last waits for ever; one whose terminal is kept by others says nothing. */
async function hangUp(output: Lead, { sockets, forget }: Started): Promise<void> {
  await output.ended
  await Promise.race([output.closed, sleep(hangUpMs, undefined, { ref: false })])
  for (const socket of [sockets.input, sockets.control]) socket.close()
  await Promise.race([output.closed, sleep(hangUpMs, undefined, { ref: false })])
  endAll(sockets)
  forget()
}

function endAll({ control, input, output, errors }: Sockets): void {
  for (const socket of [control, input, output, errors]) socket?.terminate()
}

function abortable(process: Process, signal: AbortSignal): Process {
  const onAbort = (): void => void process.kill('SIGKILL').catch(() => undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  void process.exited.catch(() => undefined).then(() => signal.removeEventListener('abort', onAbort))
  if (signal.aborted) onAbort()
  return process
}

async function signalProgram(
  session: IncusSession,
  instance: Instance,
  {
    signal,
    pid,
    leader,
    wide,
  }: { readonly signal: NodeJS.Signals; readonly wide: boolean } & Pick<Following, 'pid' | 'leader'>,
): Promise<void> {
  const words = [String(constants.signals[signal]), pid, wide ? '1' : '0', leader]
  const argv = ['/bin/sh', '-c', signalScript, 'sh', ...words]
  try {
    const { id } = await session.client().begin({
      method: 'POST',
      path: pathOf(instance.name, '/exec'),
      body: { command: argv, 'record-output': false },
    })
    await session.client().wait(id)
  } catch (error) {
    // With its environment the program has ended, too.
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) throw error
  }
}

/** Runs a short script as root and collects what it says. HOLM_ENVIRONMENT_FAILED unless it says 0; its standard error is not read. */
export async function runInside(
  session: IncusSession,
  instance: Instance,
  { script, ctx }: { readonly script: string; readonly ctx: ProviderContext },
): Promise<{ readonly output: string }> {
  if (ctx.signal.aborted) throw abortError(ctx.signal)
  const { sockets, done } = await startProgram(session, {
    instance,
    argv: ['/bin/sh', '-c', script],
    ids: {},
  })
  const output = openOutput(sockets.output)
  const errors = sockets.errors ? openOutput(sockets.errors) : undefined
  output.pass()
  errors?.pass()
  errors?.stream.resume()
  endInput(sockets.input)
  const chunks: Uint8Array[] = []
  for await (const chunk of output.stream) chunks.push(chunk as Uint8Array)
  await done
  endAll(sockets)
  return { output: Buffer.concat(chunks).toString('utf8') }
}
