import { setTimeout as later } from 'node:timers'
import { HolmError } from '@holm/core'
import type { Process } from '@holm/core'
import type { MethodParams, MethodResult } from '@holm/sdk'
import type { Handlers } from '../dispatch.ts'
import { startExecution, type Execution } from '../executions.ts'
import { createTail, type Tail } from '../tail.ts'
import type { Call, Session } from '../session.ts'

/** What `exec.run` takes at most where nothing was asked for. */
const defaultTimeoutMs = 30_000
/** Between SIGTERM and SIGKILL. */
const graceMs = 2000

type Names = Extract<keyof Handlers, `exec.${string}`>

export const execHandlers: Pick<Handlers, Names> = {
  'exec.run': runToEnd,
  'exec.start': startExecution,
  async 'exec.write'({ execution, data, encoding = 'utf8', end }, { session, signal }) {
    const { stdin } = find(session, execution).process
    if (stdin === null)
      throw new HolmError('HOLM_USAGE', `the program ${execution} takes no input`, {
        hint: 'Start it with stdin: true.',
      })
    if (data !== undefined) await write(stdin, Buffer.from(data, encoding), signal)
    if (end === true) stdin.end()
    return null
  },
  'exec.acknowledge'({ execution, bytes }, { session }) {
    session.executions.get(execution)?.acknowledge(bytes)
    return null
  },
  async 'exec.resize'({ execution, cols, rows }, { session }) {
    await find(session, execution).process.resize({ cols, rows })
    return null
  },
  async 'exec.signal'({ execution, signal }, { session }) {
    // One that has ended is gone from the list, and that is no error.
    await session.executions.get(execution)?.process.kill(signal)
    return null
  },
}

function find({ executions }: Session, id: string): Execution {
  const found = executions.get(id)
  if (found) return found
  throw new HolmError('HOLM_COMMAND_FAILED', `no program ${id} runs on this connection`, {
    hint: 'It has ended, or was started over another connection.',
    details: { execution: id },
  })
}

/** Resolves when it can take more; what is no longer read is no error. */
async function write(
  stdin: NonNullable<Process['stdin']>,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  if (stdin.destroyed || stdin.writableEnded || stdin.write(bytes)) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const events = ['drain', 'close', 'error'] as const
  for (const event of events) stdin.once(event, resolve)
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  for (const event of events) stdin.off(event, resolve)
}

type Run = MethodParams<'exec.run'>

async function runToEnd(params: Run, call: Call): Promise<MethodResult<'exec.run'>> {
  const { input, inputEncoding, encoding = 'utf8', timeoutMs = defaultTimeoutMs, ...program } = params
  const { backend, signal, session } = call
  const life = new AbortController()
  const process = await backend.host.exec({
    ...program,
    stdin: input === undefined ? 'ignore' : 'pipe',
    signal: life.signal,
  })
  process.stdin?.on('error', () => undefined)
  process.stdin?.end(input === undefined ? undefined : Buffer.from(input, inputEncoding))
  const room = Math.floor(session.limits.messageBytes / 8)
  const tails = { stdout: createTail(room), stderr: createTail(room) }
  const outputs = Promise.all([collect(process.stdout, tails.stdout), collect(process.stderr, tails.stderr)])
  const stopped = stopWhen({ process, life, signal, timeoutMs })
  try {
    const { code, signal: how } = await process.exited
    await outputs
    const texts = {
      stdout: tails.stdout.bytes().toString(encoding),
      stderr: tails.stderr.bytes().toString(encoding),
    }
    if (stopped.reason() === 'timeout') throw timedOut(params, timeoutMs, texts)
    if (stopped.reason() === 'cancel') throw new HolmError('HOLM_INTERRUPTED', 'the call was cancelled')
    const truncated = tails.stdout.cut || tails.stderr.cut
    return { code, ...(how !== undefined && { signal: how }), ...texts, encoding, truncated }
  } finally {
    stopped.forget()
  }
}

interface Stopping {
  readonly process: Process
  readonly life: AbortController
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** SIGTERM when the time is over or nobody wants it any more, and SIGKILL when that is not enough. */
function stopWhen({ process, life, signal, timeoutMs }: Stopping): {
  reason(): 'timeout' | 'cancel' | undefined
  forget(): void
} {
  let why: 'timeout' | 'cancel' | undefined
  let last: NodeJS.Timeout | undefined
  const stop = (reason: 'timeout' | 'cancel'): void => {
    why ??= reason
    void process.kill('SIGTERM').catch(() => undefined)
    last ??= later(() => life.abort(), graceMs)
  }
  const cancel = (): void => stop('cancel')
  if (signal.aborted) cancel()
  signal.addEventListener('abort', cancel, { once: true })
  const timer = later(() => stop('timeout'), timeoutMs)
  return {
    reason: () => why,
    forget() {
      clearTimeout(timer)
      clearTimeout(last)
      signal.removeEventListener('abort', cancel)
    },
  }
}

async function collect(stream: AsyncIterable<Buffer> | NodeJS.ReadableStream, tail: Tail): Promise<void> {
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) tail.add(chunk)
  } catch {
    // A killed program's stream may break off: what it wrote until then counts.
  }
}

function timedOut(
  { argv, environment }: Run,
  timeoutMs: number,
  texts: { readonly stdout: string; readonly stderr: string },
): HolmError {
  return new HolmError('HOLM_TIMEOUT', `${argv[0]} took longer than ${timeoutMs} ms in ${environment}`, {
    hint: 'Give it a longer timeoutMs, or start it with exec.start.',
    details: { timeoutMs, ...texts },
  })
}
