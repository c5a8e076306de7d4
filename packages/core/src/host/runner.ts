import { spawn as spawnChild, type ChildProcess, type SpawnOptions as ChildOptions } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { PassThrough, Readable } from 'node:stream'
import { HolmError, abortError, assertNotAborted } from '../errors.ts'
import type { Exit, RunResult, RunToEndOptions, Runner, SpawnOptions } from '../process.ts'
import { spawnError, type LocalProcess } from './local-process.ts'
import { spawnWithPty } from './runner-pty.ts'

export interface RunnerOptions {
  /** Environment of programs whose options name none. */
  readonly env: Readonly<Record<string, string | undefined>>
}

const killDelayMs = 5000

/** The Runner of this machine, over node:child_process (docs/adr/0004). Every program leads its own process group. */
export function createRunner(options: RunnerOptions): Runner {
  const environment = definedOnly(options.env)
  return {
    run: (argv, runOptions = {}) => runToEnd(argv, { env: environment, ...runOptions }),
    spawn: (argv, spawnOptions = {}) => start(argv, { env: environment, ...spawnOptions }),
  }
}

/** The variables that have a value. */
export function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** Exit of a child as a shell would report it. */
export function exitOf(code: number | null, signal: NodeJS.Signals | null): Exit {
  if (signal === null) return { code: code ?? 1 }
  return { code: 128 + constants.signals[signal], signal }
}

async function start(argv: readonly string[], options: SpawnOptions): Promise<LocalProcess> {
  if (options.signal) assertNotAborted(options.signal)
  if (options.pty) return spawnWithPty(argv, { ...options, pty: options.pty })
  return options.detached ? startDetached(argv, options, options.detached.logFile) : startPiped(argv, options)
}

async function startPiped(argv: readonly string[], options: SpawnOptions): Promise<LocalProcess> {
  const child = await launch(argv, {
    ...childOptions(options),
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve(exitOf(code, signal)))
  })
  // A program may end before it read its input: that is its right, not an error of ours.
  child.stdin?.on('error', () => undefined)
  const process: LocalProcess = {
    pid: child.pid,
    stdin: child.stdin,
    stdout: kept(child.stdout),
    stderr: kept(child.stderr),
    kill: async (signal) => killGroup(child, signal),
    resize: async () => undefined,
    exited,
  }
  if (options.signal) killOnAbort(process, options.signal)
  return process
}

/** Node throws away what nobody has read when the child exits: what goes through here waits for its reader. */
function kept(stream: Readable | null): Readable {
  return stream === null ? Readable.from([]) : stream.pipe(new PassThrough())
}

async function startDetached(
  argv: readonly string[],
  options: SpawnOptions,
  logFile: string,
): Promise<LocalProcess> {
  const log = openSync(logFile, 'a', 0o600)
  try {
    const child = await launch(argv, { ...childOptions(options), stdio: ['ignore', log, log] })
    const exited = new Promise<Exit>((resolve) =>
      child.once('exit', (code, signal) => resolve(exitOf(code, signal))),
    )
    child.unref()
    return {
      pid: child.pid,
      stdin: null,
      stdout: Readable.from([]),
      stderr: Readable.from([]),
      kill: async (signal) => killGroup(child, signal),
      resize: async () => undefined,
      exited,
    }
  } finally {
    closeSync(log)
  }
}

function childOptions(options: SpawnOptions): ChildOptions {
  return {
    // An own group, so that a signal reaches grandchildren too and a terminal's Ctrl-C only reaches holm.
    detached: process.platform !== 'win32',
    windowsHide: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  }
}

function launch(argv: readonly string[], options: ChildOptions): Promise<ChildProcess> {
  const [program, ...args] = argv
  if (program === undefined) throw new HolmError('HOLM_BUG', 'a program was started without a name')
  return new Promise((resolve, reject) => {
    const child = spawnChild(program, args, options)
    child.once('spawn', () => resolve(child))
    child.once('error', (error: NodeJS.ErrnoException) => reject(spawnError(program, options, error)))
  })
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function killOnAbort(target: LocalProcess, signal: AbortSignal): void {
  const onAbort = (): void => void terminate(target)
  signal.addEventListener('abort', onAbort, { once: true })
  void target.exited.finally(() => signal.removeEventListener('abort', onAbort))
  if (signal.aborted) onAbort()
}

/** SIGTERM to the group, SIGKILL when it has not ended after 5 s. */
async function terminate(target: LocalProcess): Promise<void> {
  await target.kill('SIGTERM')
  const timer = setTimeout(() => void target.kill('SIGKILL'), killDelayMs)
  await target.exited.finally(() => clearTimeout(timer))
}

async function runToEnd(argv: readonly string[], options: RunToEndOptions): Promise<RunResult> {
  const { input, timeoutMs, ...rest } = options
  const child = await start(argv, { ...rest, stdin: input === undefined ? 'ignore' : 'pipe' })
  child.stdin?.end(input)
  let timedOut = false
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true
          void terminate(child)
        }, timeoutMs)
  const [stdout, stderr, exit] = await Promise.all([
    readText(child.stdout),
    readText(child.stderr),
    child.exited,
  ])
  clearTimeout(timer)
  if (timedOut) throw timeoutError(argv, timeoutMs ?? 0, stdout + stderr)
  if (options.signal?.aborted) throw abortError(options.signal)
  return { code: exit.code, stdout, stderr }
}

function timeoutError(argv: readonly string[], timeoutMs: number, output: string): HolmError {
  return new HolmError('HOLM_TIMEOUT', `${argv[0] ?? ''} did not end within ${timeoutMs / 1000} s`, {
    details: { argv: [...argv], output: output.slice(-4000) },
  })
}

/** Everything a stream carries, as UTF-8. */
export async function readText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}
