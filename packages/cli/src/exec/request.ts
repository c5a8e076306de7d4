import { HolmError } from '@holm/core'
import type { ExecOptions, Process } from '@holm/core'
import type { BuiltinInput, BuiltinResult } from '../builtin.ts'
import { attachProcess, readSize } from './attach.ts'
import { captureProcess } from './capture.ts'

/** `-t` and `-T`: with neither, a terminal on both ends gets a pty. */
export function choosePty({ flags, terminal, streams }: BuiltinInput): boolean {
  if (flags['tty'] === true && flags['no-tty'] === true) {
    throw new HolmError('HOLM_USAGE', '--tty and --no-tty were both given', { hint: 'Give one of them.' })
  }
  if (flags['no-tty'] === true || terminal.json) return false
  return flags['tty'] === true || (streams.stdin.isTTY === true && streams.stdout.isTTY === true)
}

/**
 * A terminal without a pty is read only when asked for (-i): a command in a shell loop must not eat what is typed.
 * A pipe is always handed over.
 */
export function chooseStdin({ flags, streams }: BuiltinInput, pty: boolean): 'pipe' | 'ignore' {
  return pty || flags['interactive'] === true || streams.stdin.isTTY !== true ? 'pipe' : 'ignore'
}

/** `K=V` words to a record; `K` alone takes the value from this process, as with docker. */
export function parseEnvironment(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const pairs = words.flatMap((word) => {
    const at = word.indexOf('=')
    const name = at === -1 ? word : word.slice(0, at)
    if (name === '') {
      throw new HolmError('HOLM_USAGE', `--env ${JSON.stringify(word)} has no name`, {
        hint: 'Write --env NAME=value.',
      })
    }
    const value = at === -1 ? env[name] : word.slice(at + 1)
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(pairs)
}

/** Starts the program inside and stays with it to its end; its exit code becomes holm's. */
export async function runInside(input: BuiltinInput, argv: readonly string[]): Promise<BuiltinResult> {
  const { args, flags, host, streams, signal, env } = input
  const pty = choosePty(input)
  const options: ExecOptions = {
    argv,
    ...(args['name'] === undefined ? { projectFolder: input.cwd } : { environment: args['name'] }),
    ...(typeof flags['user'] === 'string' ? { user: flags['user'] } : {}),
    ...(typeof flags['workdir'] === 'string' ? { cwd: flags['workdir'] } : {}),
    env: {
      ...(pty && env['TERM'] ? { TERM: env['TERM'] } : {}),
      ...parseEnvironment((flags['env'] ?? []) as readonly string[], env),
    },
    stdin: chooseStdin(input, pty),
    ...(pty ? { pty: readSize(streams.stdout) } : {}),
    signal,
  }
  return followProgram(input, await host.exec(options), pty)
}

/** Stays with a program to its end: what it prints passes through, or with --json becomes the document. */
export async function followProgram(
  input: BuiltinInput,
  program: Process,
  pty: boolean,
): Promise<BuiltinResult> {
  if (input.terminal.json) return runCaptured(input, program)
  const { streams, takeSignals } = input
  const exit = await attachProcess(program, { streams, pty, takeSignals })
  return { data: exit, text: '', exitCode: exit.code }
}

async function runCaptured({ streams }: BuiltinInput, program: Process): Promise<BuiltinResult> {
  // The program may close its input before ours ends; that is its right.
  if (program.stdin) streams.stdin.pipe(program.stdin.on('error', () => {}))
  const captured = await captureProcess(program)
  return { data: captured, exitCode: captured.exitCode, exact: true }
}
