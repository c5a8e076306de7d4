import { HolmError, exitCodeOf } from '@holm/core'
import type { CommandDefinition, CommandInput, CommandResult, HostApi, LiveTable } from '@holm/core'
import { parseCommandLine } from './adapter/route.ts'
import type { CommandLine } from './adapter/route.ts'
import { createHostHandle } from './adapter/host-handle.ts'
import type { HostHandle } from './adapter/host-handle.ts'
import { findCommand } from './adapter/find-command.ts'
import type { BuiltinCommand, BuiltinInput } from './builtin.ts'
import type { OpenHost } from './host.ts'
import { createInterrupts } from './interrupts.ts'
import type { Interrupts } from './interrupts.ts'
import { createErrorDocument, formatError } from './output/errors.ts'
import { indentOf, printResult } from './output/result.ts'
import { createProgress } from './output/progress.ts'
import type { Progress } from './output/progress.ts'
import { createStyle, isContinuousIntegration, wantsColor } from './output/style.ts'
import type { Style } from './output/style.ts'
import type { Sanitize } from './sanitize.ts'
import { flushStream } from './streams.ts'
import type { Streams } from './streams.ts'
import { createTerminal } from './terminal.ts'

export interface CliOptions {
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly streams: Streams
  readonly openHost: OpenHost
  readonly sanitize: Sanitize
  /** Where signals come from. */
  readonly signals: NodeJS.EventEmitter
  /** Ends this process now. */
  readonly exit: (code: number) => void
}

/** Everything one run of holm shares. */
export interface Run extends CliOptions {
  readonly line: CommandLine
  readonly style: Style
  readonly errorStyle: Style
  readonly progress: Progress
  readonly interrupts: Interrupts
  readonly host: HostHandle
}

/** Runs one command line to its end and returns the exit code; never throws. */
export async function runCli(options: CliOptions): Promise<number> {
  const run = createRun(options)
  const { escaped } = run.interrupts
  let code: number
  let told: unknown
  try {
    code = await runCommandLine(run)
  } catch (error) {
    // What ended the command is why, not what its end looked like.
    told = escaped() ?? error
    run.progress.stop()
    reportError(told, run)
    code = exitCodeOf(told)
  }
  await closeRun(run)
  const late = escaped()
  if (late === undefined || late === told) return code
  run.streams.stderr.write(`${describeForPeople(late, run)}\n`)
  return exitCodeOf(late)
}

function createRun(options: CliOptions): Run {
  const { argv, env, streams, sanitize } = options
  const line = parseCommandLine(argv)
  const forbidden = line.globals.has('no-color')
  const colorOf = (stream: Streams['stdout']): Style =>
    createStyle(wantsColor({ isTerminal: stream.isTTY === true, env, forbidden }))
  const errorStyle = colorOf(streams.stderr)
  const live = streams.stderr.isTTY === true && env['TERM'] !== 'dumb' && !isContinuousIntegration(env)
  const progress = createProgress({
    stream: streams.stderr,
    style: errorStyle,
    live,
    quiet: line.globals.has('quiet'),
    verbose: line.globals.has('verbose'),
    sanitize,
  })
  const interrupts = createInterrupts({
    source: options.signals,
    // Where nothing has to be cleaned up (logs -f), the end needs no announcement.
    say: (text) => {
      if (progress.isBusy()) progress.say(text)
    },
    exit: (code) => {
      progress.stop()
      options.exit(code)
    },
  })
  const host = createHostHandle({ ...options, onEvent: progress.onEvent })
  return { ...options, line, style: colorOf(streams.stdout), errorStyle, progress, interrupts, host }
}

async function runCommandLine(run: Run): Promise<number> {
  const found = await findCommand(run)
  if (found.kind === 'help') {
    run.streams.stdout.write(`${found.text.trimEnd()}\n`)
    return 0
  }
  const { definition, words } = found
  const input = await createInput(run, { definition, words })
  const result: CommandResult = (await definition.run(input)) ?? { data: null, text: '' }
  const escaped = run.interrupts.escaped()
  if (escaped) throw escaped
  if (result.live && isAtTerminal(run)) return runLive(run, result.live)
  if (result.next) return runCommandLine({ ...run, line: nextLine(run, result.next) })
  run.progress.stop()
  await print(result, run)
  if (run.interrupts.signal.aborted && result.exitCode === undefined) return 130
  return result.exitCode ?? 0
}

function isAtTerminal({ line, streams, env }: Run): boolean {
  const { stdin, stdout } = streams
  return !line.globals.has('json') && stdin.isTTY === true && stdout.isTTY === true && env['TERM'] !== 'dumb'
}

async function runLive(run: Run, live: LiveTable): Promise<number> {
  const { runLiveTable } = await import('./live.ts')
  return runLiveTable(live, {
    ...run,
    signal: run.interrupts.signal,
    runLine: (argv) => runCommandLine({ ...run, line: nextLine(run, argv) }),
    report: (error) => {
      run.progress.stop()
      reportError(error, run)
    },
  })
}

/** Flags that hold for the whole of holm, `--json` above all, hold for what a command hands on to. */
function nextLine({ line }: Run, argv: readonly string[]): CommandLine {
  const next = parseCommandLine(argv)
  return { ...next, globals: new Set([...line.globals, ...next.globals]) }
}

async function print(result: CommandResult, run: Run): Promise<void> {
  const { line, streams, style, sanitize, interrupts } = run
  const exact: Sanitize = (text) => text
  await printResult(result, {
    streams,
    style,
    json: line.globals.has('json'),
    quiet: line.globals.has('quiet'),
    sanitize: 'exact' in result ? exact : sanitize,
    signal: interrupts.signal,
  })
}

interface Found {
  readonly definition: CommandDefinition | BuiltinCommand
  readonly words: readonly string[]
}

async function createInput(run: Run, { definition, words }: Found): Promise<BuiltinInput> {
  const { parseWords } = await import('./adapter/parse.ts')
  const { line, streams, interrupts, progress } = run
  const parsed = await parseWords(definition, words, line.rest)
  const hostless = 'hostless' in definition
  const input: Omit<BuiltinInput, 'host'> = {
    ...parsed,
    cwd: run.cwd,
    env: run.env,
    streams,
    signal: interrupts.signal,
    terminal: createTerminal({
      streams,
      json: line.globals.has('json'),
      verbose: line.globals.has('verbose'),
      signal: interrupts.signal,
      pause: progress.stop,
    }),
    commands: run.host.listTables,
    openHost: run.host.open,
    takeSignals: (handler) => {
      progress.stop()
      return interrupts.take(handler)
    },
  }
  return withHost(input, hostless ? undefined : await run.host.open())
}

function withHost(input: Omit<BuiltinInput, 'host'>, host: HostApi | undefined): BuiltinInput {
  return {
    ...input,
    get host(): CommandInput['host'] {
      if (host) return host
      throw new HolmError('HOLM_BUG', 'a command that runs without a host asked for it')
    },
  }
}

function describeForPeople(error: unknown, { line, errorStyle, sanitize }: Run): string {
  return formatError(error, { style: errorStyle, verbose: line.globals.has('verbose'), sanitize })
}

function reportError(error: unknown, run: Run): void {
  const { line, streams, sanitize } = run
  if (line.globals.has('json')) {
    const document = createErrorDocument(error, sanitize)
    streams.stdout.write(`${JSON.stringify(document, null, indentOf(streams.stdout))}\n`)
    return
  }
  streams.stderr.write(`${describeForPeople(error, run)}\n`)
}

async function closeRun({ progress, interrupts, host, streams }: Run): Promise<void> {
  progress.stop()
  try {
    await host.close()
  } catch (error) {
    streams.stderr.write(`holm could not close its host: ${String(error)}\n`)
  }
  interrupts.close()
  await Promise.all([flushStream(streams.stdout), flushStream(streams.stderr)])
}
