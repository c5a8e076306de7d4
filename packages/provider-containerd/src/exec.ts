import { randomBytes } from 'node:crypto'
import { closeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { PassThrough, Writable } from 'node:stream'
import type { Socket } from 'node:net'
import { abortError, signalNumber } from '@holm/core'
import type { Exit, ExecRequest, HolmError, Process, ProviderContext, TerminalSize } from '@holm/core'
import { packJson, processType, unpackJson } from './api.ts'
import type { UnaryCalls } from './api.ts'
import type { Client } from './client.ts'
import type { Engine } from './engine.ts'
import { requireRunning } from './environment.ts'
import type { Environment } from './environment.ts'
import { missingProgram } from './exec-missing.ts'
import { signalExec } from './exec-signal.ts'
import { explain, isStatus, parseFailure } from './failure.ts'
import { holdFifo, readFifo, returnFifos, takeFifos, writeFifo } from './fifo.ts'
import { mergeEnv } from './image-config.ts'
import { withUser } from './oci-spec.ts'
import type { OciProcess, OciSpec } from './oci-spec.ts'
import { awaitEnd } from './process-end.ts'
import { filesOf } from './record.ts'
import { loadUserFiles, parseUser, unknownUser } from './users.ts'
import type { ResolvedUser } from './users.ts'

interface ExecCall {
  readonly request: ExecRequest
  readonly ctx: ProviderContext
}

/** One program inside. */
interface Session {
  readonly client: Client
  readonly containerId: string
  readonly execId: string
  readonly io: ExecIo
  readonly pid: number
  readonly request: ExecRequest
  /** Signals sent, to tell "ended by it" from an exit code above 128. */
  readonly sent: Set<NodeJS.Signals>
  /** Whatever broke off the wait for its end, as an error that says so. */
  readonly explain: (error: unknown) => HolmError
}

interface ExecIo {
  readonly fifos: readonly string[]
  readonly stdinPath: string | undefined
  readonly stdout: Output
  /** Undefined with a pty. */
  readonly stderr: Output | undefined
}

/** What comes out of a FIFO. Carried from the moment it is opened: a short program is over before its start is answered. */
interface Output {
  readonly source: Socket
  readonly stream: PassThrough
  readonly done: Promise<void>
  readonly fifo: string
  /** All who wrote have gone. */
  isEnded(): boolean
}

/** Three calls to start it (two at once, exec, start), two at its end. */
export async function startExec(engine: Engine, name: string, call: ExecCall): Promise<Process> {
  const { request, ctx } = call
  const action = `run ${request.argv[0] ?? ''} in ${name}`
  return engine.use({ ctx, action, environment: name }, async (client) => {
    const found = await requireRunning(client, name)
    const process = await processSpec(found, found.task.pid, request)
    const io = await openIo(found, call)
    const execId = `x${randomBytes(8).toString('hex')}`
    const containerId = found.container.id
    const keep = io.stdinPath === undefined ? undefined : holdFifo(io.stdinPath)
    try {
      await client.call('Tasks.Exec', execRequest({ containerId, execId, io, process }))
      const started = await client
        .call('Tasks.Start', { containerId, execId })
        .catch(async (error: unknown) => {
          await client.call('Tasks.DeleteProcess', { containerId, execId }).catch(() => {})
          const missing = missingProgram(parseFailure(error).message)
          if (!missing) throw error
          return missing
        })
      if ('code' in started) {
        await closeIo(io)
        return endedProcess(started, request)
      }
      const session = {
        client,
        containerId,
        execId,
        io,
        pid: started.pid,
        request,
        sent: new Set<NodeJS.Signals>(),
        explain: (error: unknown) => explain(error, { action, environment: name, address: engine.address }),
      }
      return await openProcess(session, ctx)
    } catch (error) {
      await closeIo(io)
      throw await execError(error, client, name)
    } finally {
      if (keep !== undefined) closeSync(keep)
    }
  })
}

/** The environment may have been stopped between the look at it and the start of the program. */
async function execError(error: unknown, client: Client, name: string): Promise<unknown> {
  const { message } = parseFailure(error)
  if (!isStatus(error, 'NOT_FOUND', 'FAILED_PRECONDITION') && !/paused|not running|stopped/i.test(message))
    return error
  try {
    await requireRunning(client, name)
    return error
  } catch (reason) {
    return reason
  }
}

async function openIo({ record }: Environment, { request, ctx }: ExecCall): Promise<ExecIo> {
  const hasStdin = request.stdin === 'pipe'
  const hasStderr = request.pty === undefined
  const folder = filesOf(record.folder).io
  const fifos = await takeFifos(folder, 1 + Number(hasStdin) + Number(hasStderr), ctx.runner)
  const [out = '', ...others] = fifos
  return {
    fifos,
    stdout: openOutput(out),
    stderr: hasStderr ? openOutput(others[0] ?? '') : undefined,
    stdinPath: hasStdin ? others.at(-1) : undefined,
  }
}

async function closeIo({ stdout, stderr, fifos }: ExecIo): Promise<void> {
  const ended = [stdout, stderr].flatMap((output) => (output?.isEnded() ? [output.fifo] : []))
  stdout.source.destroy()
  stderr?.source.destroy()
  await returnFifos(ended)
  // The supervisor may hold the others a while longer, and would take from the next program what is its.
  await Promise.all(fifos.filter((fifo) => !ended.includes(fifo)).map((fifo) => rm(fifo, { force: true })))
}

interface Launch {
  readonly containerId: string
  readonly execId: string
  readonly io: ExecIo
  readonly process: OciProcess
}

function execRequest({ containerId, execId, io, process }: Launch): UnaryCalls['Tasks.Exec'][0] {
  const [stdout = '', stderr = ''] = io.fifos
  return {
    containerId,
    execId,
    terminal: process.terminal ?? false,
    stdin: io.stdinPath ?? '',
    stdout,
    stderr: io.stderr ? stderr : '',
    spec: packJson(processType, process),
  }
}

/** The environment's own process with what the call changes. */
async function processSpec(
  { container, record }: Environment,
  mainPid: number,
  request: ExecRequest,
): Promise<OciProcess> {
  const { process } = unpackJson(container.spec) as OciSpec
  const { uid, gid, additionalGids, home } = await execUser(request.user ?? record.user, {
    root: `/proc/${mainPid}/root`,
    name: record.name,
  })
  const hasHome =
    process.env.some((entry) => entry.startsWith('HOME=')) || request.env?.['HOME'] !== undefined
  const { pty } = request
  return {
    args: request.argv,
    cwd: request.cwd ?? (record.workdir || '/'),
    env: mergeEnv(process.env, {
      ...(!hasHome && { HOME: home }),
      ...(pty && { TERM: 'xterm-256color' }),
      ...request.env,
    }),
    noNewPrivileges: process.noNewPrivileges,
    ...withUser(process.capabilities.bounding, { uid, gid, additionalGids }),
    ...(process.rlimits && { rlimits: process.rlimits }),
    ...(pty && { terminal: true, consoleSize: { width: pty.cols, height: pty.rows } }),
  }
}

async function execUser(
  wanted: string,
  { root, name }: { readonly root: string; readonly name: string },
): Promise<ResolvedUser> {
  if (wanted === '' || wanted === 'root' || wanted === '0')
    return { uid: 0, gid: 0, additionalGids: [], home: '/root' }
  const user = parseUser(wanted, await loadUserFiles(root))
  if (!user) throw unknownUser(wanted, name)
  return user
}

async function openProcess(session: Session, ctx: ProviderContext): Promise<Process> {
  if (session.request.pty) await resizeExec(session, session.request.pty)
  const process = processOf(session)
  if (!ctx.signal.aborted) return abortable(process, ctx.signal)
  await process.kill('SIGKILL')
  throw abortError(ctx.signal)
}

function processOf(session: Session): Process {
  const { io, sent } = session
  const stdout = io.stdout.stream
  const stderr = io.stderr?.stream ?? new PassThrough().end()
  const stdin = io.stdinPath === undefined ? null : openStdin(session, io.stdinPath)
  let over = false
  const exited = waitForExit(session, stdin).finally(() => (over = true))
  // A caller that only wants the streams must not be ended by an unhandled rejection.
  exited.catch((error: unknown) => {
    for (const stream of [stdout, stderr]) stream.destroy(error as Error)
  })
  return {
    stdin,
    stdout,
    stderr,
    exited,
    async kill(signal) {
      if (over) return
      sent.add(signal)
      await signalExec(session, signalNumber(signal))
    },
    resize: (size) => (session.request.pty && !over ? resizeExec(session, size) : Promise.resolve()),
  }
}

/** A connection that breaks ends what it carried. */
function openOutput(fifo: string): Output {
  const source = readFifo(fifo)
  const stream = new PassThrough()
  let ended = false
  source.once('end', () => (ended = true))
  source.on('error', () => source.destroy())
  source.pipe(stream, { end: false })
  const done = new Promise<void>((resolve) => {
    source.once('close', () => {
      stream.end()
      resolve()
    })
  })
  return { source, stream, done, fifo, isEnded: () => ended }
}

/** The program sees the end of its input when our end and the supervisor's are closed. */
function openStdin({ client, containerId, execId, request }: Session, fifo: string): Writable {
  const socket = writeFifo(fifo)
  const close = async (): Promise<void> => {
    if (!request.pty) await client.call('Tasks.CloseIO', { containerId, execId, stdin: true }).catch(() => {})
  }
  if (!socket) return new Writable({ write: (_chunk, _encoding, done) => done() })
  // A program may end before it read its input: what it did not want is dropped.
  let gone = false
  socket.on('error', () => (gone = true))
  socket.on('close', () => (gone = true))
  return new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      if (gone) return done()
      let called = false
      const once = (): void => {
        if (called) return
        called = true
        socket.off('close', once)
        done()
      }
      socket.once('close', once)
      socket.write(chunk, once)
    },
    final(done) {
      const finish = (): void => void close().finally(() => done())
      if (gone) return finish()
      socket.once('close', finish)
      socket.end(() => socket.destroy())
    },
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
}

async function waitForExit(session: Session, stdin: Writable | null): Promise<Exit> {
  const { client, containerId, execId, io, sent } = session
  try {
    const code = (await awaitEnd(client, { containerId, execId })) ?? 0
    await Promise.all([io.stdout.done, io.stderr?.done])
    await client.call('Tasks.DeleteProcess', { containerId, execId }).catch(() => {})
    const signal = [...sent].find((name) => code === 128 + signalNumber(name))
    return { code, ...(signal && { signal }) }
  } catch (error) {
    throw session.explain(error)
  } finally {
    stdin?.destroy()
    await closeIo(io)
  }
}

function abortable(process: Process, signal: AbortSignal): Process {
  const onAbort = (): void => {
    // The program ends with its environment when even this fails.
    process.kill('SIGKILL').catch(() => {})
  }
  signal.addEventListener('abort', onAbort, { once: true })
  const release = (): void => signal.removeEventListener('abort', onAbort)
  process.exited.then(release, release)
  return process
}

/** Ended programs answer with an error: nothing to resize then. */
async function resizeExec({ client, containerId, execId }: Session, size: TerminalSize): Promise<void> {
  const { cols: width, rows: height } = size
  await client.call('Tasks.ResizePty', { containerId, execId, width, height }).catch(() => {})
}

/** A program that never ran, as a process that has ended. */
function endedProcess(
  { code, message }: { readonly code: number; readonly message: string },
  request: ExecRequest,
): Process {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  if (request.pty) {
    stdout.end(message)
    stderr.end()
  } else {
    stdout.end()
    stderr.end(message)
  }
  return {
    stdin: request.stdin === 'pipe' ? new Writable({ write: (_chunk, _encoding, done) => done() }) : null,
    stdout,
    stderr,
    exited: Promise.resolve({ code }),
    kill: () => Promise.resolve(),
    resize: () => Promise.resolve(),
  }
}
