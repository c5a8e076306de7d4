import { spawn } from 'node:child_process'
import { lastLines } from '../../scripts/command.ts'

export interface ProgramOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly signal?: AbortSignal
}

/** A gibibyte that is copied inside an emulated machine takes minutes. */
const deadlineMs = 600_000

/** Runs a program to its exit and returns what it printed; anything but exit code 0 is an error. */
export function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const [command = '', ...args] = argv
  const { signal, ...where } = options
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(command, args, {
    ...where,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
  })
  // Not spawn's own signal: that one reports before the program has ended and put its things in order.
  const end = (): boolean => child.kill('SIGTERM')
  signal?.addEventListener('abort', end)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.on('error', reject)
  // Not 'close': what a program leaves running in the background may hold the pipes, and is not what is timed.
  child.on('exit', (code, killedBy) => {
    signal?.removeEventListener('abort', end)
    if (code === 0) return setImmediate(() => resolve(stdout))
    const how = killedBy ?? `exit code ${code}`
    return setImmediate(() =>
      reject(new Error(`${argv.join(' ')}: ${how}\n${lastLines(stderr + stdout, 15)}`)),
    )
  })
  return promise
}
