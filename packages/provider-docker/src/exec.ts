import { abortError, signalNumber } from '@holm/core'
import type { Exit, ExecRequest, Process, ProviderContext, TerminalSize } from '@holm/core'
import type Docker from 'dockerode'
import type { Engine } from './engine.ts'
import { awaitExit } from './exec-code.ts'
import { killExec, markerVariable } from './exec-kill.ts'
import { missingProgram } from './exec-missing.ts'
import { execStreams } from './exec-streams.ts'
import type { ExecStreams } from './exec-streams.ts'
import { containerName, label, uniqueMark } from './names.ts'
import { sizedArgv } from './pty-size.ts'

/** What one running exec is made of. */
interface Session {
  readonly engine: Engine
  readonly name: string
  readonly exec: Docker.Exec
  readonly streams: ExecStreams
  readonly marker: string
  readonly request: ExecRequest
  /** Signals sent, to tell "ended by it" from an exit code above 128. */
  readonly sent: Set<NodeJS.Signals>
}

/** Two calls to start it (create, start), one at its end (inspect). */
export async function startExec(
  engine: Engine,
  name: string,
  call: { readonly request: ExecRequest; readonly ctx: ProviderContext },
): Promise<Process> {
  const { request, ctx } = call
  const marker = uniqueMark()
  return engine.use(
    { ctx, action: `run ${request.argv[0] ?? ''} in ${name}`, environment: name },
    async (docker, abortSignal) => {
      const container = docker.getContainer(containerName(engine.namespace, name))
      const [argv, user] = await Promise.all([sizedArgv(docker, request), execUser(container, request)])
      const exec = await container.exec({
        ...execOptions({ ...request, argv, ...(user !== undefined && { user }) }, marker),
        abortSignal,
      })
      // Not abortable from here on: an aborted start leaves a program that nobody can name.
      const socket = await exec.start({
        hijack: true,
        stdin: request.stdin === 'pipe',
        Tty: request.pty !== undefined,
        ...consoleSize(request.pty),
      })
      const streams = execStreams(socket, { raw: request.pty !== undefined, stdin: request.stdin === 'pipe' })
      const session: Session = {
        engine,
        name,
        exec,
        streams,
        marker,
        request: { ...request, ...(user !== undefined && { user }) },
        sent: new Set(),
      }
      if (request.pty) await resizeExec(exec, request.pty)
      const process = processOf(session)
      if (!ctx.signal.aborted) return abortable(process, ctx.signal)
      await process.kill('SIGKILL')
      throw abortError(ctx.signal)
    },
  )
}

/** A call more only when nobody said who: the main process is root's, and the environment's user is in a label. */
async function execUser(container: Docker.Container, { user }: ExecRequest): Promise<string | undefined> {
  if (user !== undefined) return user
  const info = await container.inspect()
  return info.Config.Labels?.[label.user] || undefined
}

function execOptions(request: ExecRequest, marker: string): Docker.ExecCreateOptions {
  return {
    Cmd: [...request.argv],
    AttachStdin: request.stdin === 'pipe',
    AttachStdout: true,
    AttachStderr: true,
    Tty: request.pty !== undefined,
    Env: [
      ...Object.entries(request.env ?? {}).map(([key, value]) => `${key}=${value}`),
      ...terminal(request),
      `${markerVariable}=${marker}`,
    ],
    ...(request.user !== undefined && { User: request.user }),
    ...(request.cwd !== undefined && { WorkingDir: request.cwd }),
  }
}

function terminal(request: ExecRequest): readonly string[] {
  return request.pty && request.env?.['TERM'] === undefined ? ['TERM=xterm-256color'] : []
}

/** Engines of API 1.42 and above start the program in a terminal of this size; others ignore it. */
function consoleSize(size: TerminalSize | undefined): Record<string, unknown> {
  return size ? { ConsoleSize: [size.rows, size.cols] } : {}
}

function processOf(session: Session): Process {
  const { streams, exec, sent } = session
  const exited = waitForExit(session)
  // A caller that only wants the streams must not be ended by an unhandled rejection.
  exited.catch(() => {})
  let over = false
  streams.ended.then(
    () => (over = true),
    () => (over = true),
  )
  return {
    stdin: streams.stdin,
    stdout: streams.stdout,
    stderr: streams.stderr,
    exited,
    async kill(signal) {
      if (over) return
      sent.add(signal)
      await killExec({ ...session, signal, isOver: () => over })
    },
    resize: (size) => (session.request.pty && !over ? resizeExec(exec, size) : Promise.resolve()),
  }
}

function abortable(process: Process, signal: AbortSignal): Process {
  const onAbort = (): void => {
    // The program ends with its container when even this fails.
    process.kill('SIGKILL').catch(() => {})
  }
  signal.addEventListener('abort', onAbort, { once: true })
  const release = (): void => signal.removeEventListener('abort', onAbort)
  process.exited.then(release, release)
  return process
}

/** Ended programs and programs not yet started answer with an error: nothing to resize then. */
async function resizeExec(exec: Docker.Exec, size: TerminalSize): Promise<void> {
  await exec.resize({ h: size.rows, w: size.cols }).catch(() => {})
}

async function waitForExit(session: Session): Promise<Exit> {
  try {
    return await readExit(session)
  } catch (error) {
    session.streams.cut()
    throw error
  }
}

async function readExit(session: Session): Promise<Exit> {
  const { streams } = session
  // However the connection ended: whether the engine is still there shows in the next call.
  await streams.ended.catch(() => {})
  const info = await finishedInfo(session)
  const held = streams.held()
  const missing =
    held === undefined ? undefined : missingProgram(held, { pid: info.Pid, code: info.ExitCode ?? 0 })
  await streams.finish(missing?.message)
  if (missing) return { code: missing.code }
  const code = info.ExitCode ?? 0
  const signal = [...session.sent].find((name) => code === 128 + signalNumber(name))
  return { code, ...(signal && { signal }) }
}

/** Not abortable: the abort kills the program, and its end is still waited for. */
async function finishedInfo({ engine, exec, name }: Session): Promise<Docker.ExecInspectInfo> {
  const ctx = { signal: new AbortController().signal }
  const action = `learn how a program in ${name} ended`
  return engine.use({ ctx, action, environment: name }, () => awaitExit(exec))
}
