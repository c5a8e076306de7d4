import type { Readable, Writable } from 'node:stream'

/** Size of a terminal in character cells. */
export interface TerminalSize {
  readonly cols: number
  readonly rows: number
}

/** How a process ended. `code` is what a shell would report: 128 + n for signal n. */
export interface Exit {
  readonly code: number
  readonly signal?: NodeJS.Signals
}

/**
 * A running process, on this machine (Runner) or inside an environment (Provider.exec).
 * Streams carry bytes unchanged and exert back-pressure. With a pty, `stdout` carries everything and `stderr` ends at once.
 * A stream nobody reads may stall the process, as with any pipe: consume both, or call `.resume()`.
 */
export interface Process {
  /** Ends the input when ended. Null when the request asked for no stdin. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Sends a signal to the process and its group. A process that has ended is no error. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Changes the size of the pty; without one it does nothing. */
  resize(size: TerminalSize): Promise<void>
  /** Resolves once, after the process ended and its output streams ended. Rejects only when the connection to it is lost. */
  readonly exited: Promise<Exit>
}

export interface RunOptions {
  readonly cwd?: string
  /** Whole environment of the program; absent: the host's environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface RunToEndOptions extends RunOptions {
  readonly input?: string | Uint8Array
  /** Deadline in milliseconds; then SIGTERM, 5 s later SIGKILL, and HOLM_TIMEOUT with the output so far. */
  readonly timeoutMs?: number
}

export interface SpawnOptions extends RunOptions {
  /** 'pipe': `Process.stdin` is a stream; 'ignore' (default): no input. */
  readonly stdin?: 'pipe' | 'ignore'
  readonly pty?: TerminalSize
  /**
   * Leave it running when holm ends: own session, no streams (stdout and stderr end at once).
   * `logFile` receives its output.
   */
  readonly detached?: { readonly logFile: string }
}

export interface RunResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * The port through which everything outside this process is started. Argument lists only, never a shell string.
 * A program that is not on PATH is HOLM_TOOL_MISSING; a non-zero code is a result, not an error.
 */
export interface Runner {
  /** Runs to the end and collects the output (UTF-8). Aborting kills the process group and throws HOLM_INTERRUPTED. */
  run(argv: readonly string[], options?: RunToEndOptions): Promise<RunResult>
  /** Starts and returns at once. `pid` is undefined for processes that are not on this machine. */
  spawn(
    argv: readonly string[],
    options?: SpawnOptions,
  ): Promise<Process & { readonly pid: number | undefined }>
}
