import { constants } from 'node:os'
import { PassThrough, Readable, Writable } from 'node:stream'
import { HolmError } from '../errors.ts'
import type { Exit, SpawnOptions, TerminalSize } from '../process.ts'
import { spawnError, type LocalProcess } from './local-process.ts'

type PtyOptions = SpawnOptions & { readonly pty: TerminalSize }

interface PtyModule {
  spawn(
    file: string,
    args: string[],
    options: {
      name: string
      cols: number
      rows: number
      cwd?: string
      env?: Record<string, string>
      encoding: null
    },
  ): Pty
}

interface Pty {
  readonly pid: number
  onData(listener: (data: string | Buffer) => void): unknown
  onExit(listener: (event: { exitCode: number; signal?: number }) => void): unknown
  write(data: string | Buffer): void
  resize(cols: number, rows: number): void
  kill(signal?: string): void
  pause(): void
  resume(): void
}

/** Starts a program on a terminal of its own, through node-pty's prebuilt package. */
export async function spawnWithPty(argv: readonly string[], options: PtyOptions): Promise<LocalProcess> {
  const [program = '', ...args] = argv
  const { spawn } = await loadPty()
  const pty = openPty(
    () =>
      spawn(program, args, {
        name: options.env?.['TERM'] ?? 'xterm-256color',
        cols: options.pty.cols,
        rows: options.pty.rows,
        encoding: null,
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.env === undefined ? {} : { env: { ...options.env } }),
      }),
    program,
    options,
  )
  return processOfPty(pty, options.signal)
}

function openPty(open: () => Pty, program: string, options: PtyOptions): Pty {
  try {
    return open()
  } catch (error) {
    throw spawnError(program, options, error as NodeJS.ErrnoException)
  }
}

async function loadPty(): Promise<PtyModule> {
  try {
    const loaded = (await import('@lydell/node-pty')) as unknown as PtyModule & { default?: PtyModule }
    return loaded.default ?? loaded
  } catch (error) {
    throw new HolmError(
      'HOLM_TOOL_MISSING',
      'no terminal can be opened: node-pty has no build for this platform',
      {
        hint: 'Run the command without a terminal (holm exec -T).',
        cause: error,
      },
    )
  }
}

function processOfPty(pty: Pty, signal: AbortSignal | undefined): LocalProcess {
  const stdout = new PassThrough()
  pty.onData((data) => {
    if (!stdout.write(data)) pauseUntilDrained(pty, stdout)
  })
  const exited = new Promise<Exit>((resolve) => {
    pty.onExit(({ exitCode, signal: number }) => {
      stdout.end()
      resolve(exitOfPty(exitCode, number))
    })
  })
  const kill = async (name: NodeJS.Signals): Promise<void> => killPty(pty, name)
  if (signal) {
    const onAbort = (): void => void kill('SIGHUP')
    signal.addEventListener('abort', onAbort, { once: true })
    void exited.finally(() => signal.removeEventListener('abort', onAbort))
  }
  return {
    pid: pty.pid,
    stdin: writerTo(pty),
    stdout,
    stderr: Readable.from([]),
    kill,
    resize: async (size) => resizePty(pty, size),
    exited,
  }
}

function pauseUntilDrained(pty: Pty, stdout: PassThrough): void {
  pty.pause()
  stdout.once('drain', () => pty.resume())
}

function exitOfPty(code: number, number: number | undefined): Exit {
  if (number === undefined || number === 0) return { code }
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
  return name === undefined ? { code: 128 + number } : { code: 128 + number, signal: name as NodeJS.Signals }
}

function killPty(pty: Pty, signal: NodeJS.Signals): void {
  try {
    process.kill(-pty.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function resizePty(pty: Pty, size: TerminalSize): void {
  try {
    pty.resize(size.cols, size.rows)
  } catch {
    // The terminal is gone with its program: nothing is left to be resized.
  }
}

function writerTo(pty: Pty): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      pty.write(chunk)
      done()
    },
    // End of input on a terminal is the end-of-transmission character.
    final(done) {
      pty.write('\u0004')
      done()
    },
  })
}
