import { HolmError, abortError } from '@holm/core'
import type { ErrorCode, ProviderContext } from '@holm/core'
import { pipeline } from 'node:stream/promises'
import { Readable, type Writable } from 'node:stream'
import { passEnvironment, shellArgv } from './argv.ts'
import type { Machine } from './machine.ts'
import { readAll } from './streams.ts'
import { parseFailure, wslError } from './wsl-errors.ts'
import { decodeOutput, parseNames, parseVerboseList } from './wsl-output.ts'

export interface WslCall {
  readonly argv: readonly string[]
  /** Completes "cannot …" and "waited for wsl.exe to …". */
  readonly doing: string
  readonly input?: AsyncIterable<Uint8Array> | Uint8Array
  readonly timeoutMs?: number
  /** Code of an error that wsl.exe's own code does not explain. */
  readonly fallback?: ErrorCode
}

export interface WslResult {
  readonly code: number
  readonly bytes: Buffer
  readonly text: string
  readonly errorText: string
}

/** Calls that manage: they are quick, or wait for a service that may hang. */
const manageMs = 60_000

/** Runs wsl.exe to its end, whatever its code. HOLM_TIMEOUT and HOLM_INTERRUPTED kill it. */
export async function runWsl(machine: Machine, call: WslCall, ctx: ProviderContext): Promise<WslResult> {
  const timeoutMs = call.timeoutMs ?? manageMs
  const timer = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([ctx.signal, timer])
  const child = await ctx.runner.spawn([machine.wsl, ...call.argv], {
    env: passEnvironment(machine.env, {}).env,
    cwd: machine.distribution === undefined ? undefined : '/',
    stdin: call.input === undefined ? 'ignore' : 'pipe',
    signal,
  } as Parameters<typeof ctx.runner.spawn>[1])
  const fed =
    call.input === undefined || child.stdin === null
      ? Promise.resolve()
      : feed(call.input, child.stdin, signal)
  const [bytes, errors, exit] = await Promise.all([
    readAll(child.stdout),
    readAll(child.stderr),
    child.exited,
    fed,
  ])
  if (ctx.signal.aborted) throw abortError(ctx.signal)
  if (timer.aborted) {
    throw new HolmError('HOLM_TIMEOUT', `waited ${timeoutMs / 1000} s for wsl.exe to ${call.doing}`, {
      hint: 'Run `wsl --status`; if it hangs too, `wsl --shutdown` ends all distributions.',
      details: { argv: [...call.argv].slice(0, 4) },
    })
  }
  return { code: exit.code, bytes, text: decodeOutput(bytes), errorText: decodeOutput(errors) }
}

/** `runWsl`, and the error that its output stands for unless the code is 0. */
export async function callWsl(machine: Machine, call: WslCall, ctx: ProviderContext): Promise<string> {
  const { code, text, errorText } = await runWsl(machine, call, ctx)
  if (code === 0) return text
  throw wslError(`${text}\n${errorText}`, call.doing, call.fallback)
}

export interface ShellRequest extends Omit<WslCall, 'argv'> {
  readonly distribution: string
  readonly script: string
  readonly words?: readonly string[]
}

/** Runs one of holm's own scripts inside as root. */
export function runShell(machine: Machine, request: ShellRequest, ctx: ProviderContext): Promise<WslResult> {
  const { distribution, script, words = [], ...call } = request
  const argv = shellArgv({ distribution, script, words: ['holm', ...words] })
  return runWsl(machine, { ...call, argv }, ctx)
}

/** `runShell`, and an error with what it said unless the code is 0. */
export async function callShell(
  machine: Machine,
  request: ShellRequest,
  ctx: ProviderContext,
): Promise<string> {
  const { code, text, errorText } = await runShell(machine, request, ctx)
  if (code === 0) return text
  const said = errorText.trim() || text.trim()
  if (/[:：]\s*Wsl\//.test(said)) throw wslError(said, request.doing, request.fallback)
  throw new HolmError(
    request.fallback ?? 'HOLM_ENVIRONMENT_FAILED',
    `cannot ${request.doing}: ${said || `code ${code}`}`,
    {
      hint: 'Look at the message; `holm logs` may tell more.',
    },
  )
}

export interface Distributions {
  readonly all: ReadonlySet<string>
  readonly running: ReadonlySet<string>
}

/** States as current versions write them, in any language of Windows. Older ones translate them. */
const knownStates = new Set(['Running', 'Stopped', 'Installing', 'Uninstalling', 'Converting', 'Exporting'])

/** Names of what exists, half-made ones too, and of what runs. One call, unless states are words of another language. */
export async function listDistributions(machine: Machine, ctx: ProviderContext): Promise<Distributions> {
  const rows = parseVerboseList(await askList(machine, ['--verbose'], ctx))
  const all = new Set(rows.map(({ name }) => name))
  const running = rows.every(({ state }) => knownStates.has(state))
    ? rows.filter(({ state }) => state === 'Running').map(({ name }) => name)
    : parseNames(await askList(machine, ['--running', '--quiet'], ctx))
  return { all, running: new Set(running.filter((name) => all.has(name))) }
}

/** "There is no distribution" and "none is running" are failures for wsl.exe; an empty list is none for us. */
async function askList(machine: Machine, options: readonly string[], ctx: ProviderContext): Promise<string> {
  const argv = ['--list', ...options]
  const { code, text, errorText } = await runWsl(machine, { argv, doing: 'list distributions' }, ctx)
  if (code === 0 || parseFailure(text).code === undefined) return text
  const error = wslError(`${text}\n${errorText}`, 'list distributions', 'HOLM_PROVIDER_UNAVAILABLE')
  if (error.code === 'HOLM_ENVIRONMENT_NOT_FOUND') return ''
  throw error
}

async function feed(
  input: AsyncIterable<Uint8Array> | Uint8Array,
  stdin: Writable,
  signal: AbortSignal,
): Promise<void> {
  try {
    await pipeline(input instanceof Uint8Array ? Readable.from([input]) : Readable.from(input), stdin, {
      signal,
    })
  } catch (error) {
    // What ended before it read everything says itself why; an abort is told by the caller.
    const { code, name } = error as NodeJS.ErrnoException
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'EOF' && name !== 'AbortError')
      throw error
  }
}
