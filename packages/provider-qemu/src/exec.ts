import type { Socket } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { HolmError, abortError, assertNotAborted, signalName, signalNumber } from '@holm/core'
import type { ExecRequest, Exit, Process, ProviderContext } from '@holm/core'
import {
  connectAgent,
  createFrameReader,
  encodeFrame,
  encodeRequest,
  lost,
  refusal,
  type AgentAddress,
  type Frame,
} from './agent.ts'

/** HOLM_USAGE for what no program of a Linux kernel can be given. */
export function assertWords({ argv, cwd = '', env = {} }: ExecRequest): void {
  const words = [...argv, cwd, ...Object.keys(env), ...Object.values(env)]
  const bad = words.find((word) => word.includes('\0'))
  if (bad === undefined && argv.length > 0) return
  const what = bad === undefined ? 'a program without a name' : `${JSON.stringify(bad)}: it holds a zero byte`
  throw new HolmError('HOLM_USAGE', `cannot start ${what}`, { hint: 'Leave it out.' })
}

/** How the program ended, from the agent's two numbers: code, and signal or 0. */
export function parseExit(data: Buffer): Exit {
  const [code = 0, signal = 0] = data.toString().split(' ').map(Number)
  if (signal === 0) return { code }
  const name = signalName(signal)
  return { code: 128 + signal, ...(name === undefined ? {} : { signal: name }) }
}

/** Starts a program in the machine: one connection for one program. */
export async function execInside(
  address: AgentAddress,
  request: ExecRequest,
  ctx: Pick<ProviderContext, 'signal'>,
): Promise<Process> {
  assertWords(request)
  assertNotAborted(ctx.signal)
  const socket = await connectAgent(address)
  const session = createSession(socket, request)
  socket.write(
    encodeRequest('exec', address.token, {
      arg: request.argv,
      env: Object.entries(request.env ?? {}).map(([name, value]) => `${name}=${value}`),
      cwd: request.cwd,
      user: request.user,
      stdin: request.stdin === 'pipe' ? 1 : undefined,
      rows: request.pty?.rows,
      cols: request.pty?.cols,
    }),
  )
  const onAbort = (): void => void session.process.kill('SIGKILL')
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  void session.process.exited.then(
    () => ctx.signal.removeEventListener('abort', onAbort),
    () => ctx.signal.removeEventListener('abort', onAbort),
  )
  try {
    await session.started
  } catch (error) {
    socket.destroy()
    throw ctx.signal.aborted ? abortError(ctx.signal) : error
  }
  if (ctx.signal.aborted) onAbort()
  return session.process
}

interface Session {
  readonly process: Process
  readonly started: Promise<void>
}

/** Bytes of input that may be on the way: the agent says how many it has passed on. */
const inputWindow = 262_144

function createSession(socket: Socket, request: ExecRequest): Session {
  const started = Promise.withResolvers<void>()
  const exited = Promise.withResolvers<Exit>()
  started.promise.catch(() => undefined)
  exited.promise.catch(() => undefined)
  const input = request.stdin === 'pipe' ? createInput(socket) : undefined
  const output = createOutput(socket, request.pty !== undefined)
  let over = false
  const close = (): boolean => {
    if (over) return false
    over = true
    output.end()
    input?.end()
    socket.destroy()
    return true
  }
  output.onFrame((frame) => {
    if (frame.type === 'P') started.resolve()
    else if (frame.type === 'F') started.reject(refusal(frame))
    else if (frame.type === 'K') input?.acknowledge(Number(frame.data.toString()))
    else if (frame.type === 'X' && close()) {
      const exit = parseExit(frame.data)
      void bothRead([output.stdout, output.stderr]).then(() => exited.resolve(exit))
    }
  })
  socket.on('error', () => socket.destroy())
  socket.once('close', () => {
    if (!close()) return
    const error = lost()
    started.reject(error)
    exited.reject(error)
  })
  const send = async (type: string, text: string): Promise<void> => {
    if (!over && socket.writable) socket.write(encodeFrame(type, text))
  }
  return {
    started: started.promise,
    process: {
      stdin: input?.stream ?? null,
      stdout: output.stdout,
      stderr: output.stderr,
      kill: (signal) => send('S', String(signalNumber(signal))),
      resize: ({ cols, rows }) => (request.pty ? send('W', `${rows} ${cols}`) : Promise.resolve()),
      exited: exited.promise,
    },
  }
}

interface Output {
  readonly stdout: Readable
  readonly stderr: Readable
  /** Gets every frame that is no output, in its place among those that are. */
  onFrame(handler: (frame: Frame) => void): void
  end(): void
}

/** Output goes to its stream; while a reader has enough of it, nothing more is taken from the connection. */
function createOutput(socket: Socket, terminal: boolean): Output {
  const reader = createFrameReader()
  let handle: (frame: Frame) => void = () => undefined
  let full: Readable | undefined
  const flow = function (this: Readable): void {
    if (full !== this) return
    full = undefined
    pump()
  }
  const stdout = new Readable({ read: flow })
  const stderr = new Readable({ read: flow })
  if (terminal) stderr.push(null)
  const targets: Readonly<Record<string, Readable>> = { 1: stdout, 2: stderr }
  const deliver = (frame: Frame): void => {
    const target = targets[frame.type]
    if (target === undefined) handle(frame)
    else if (!target.push(frame.data)) full = target
  }
  const pump = (): void => {
    for (let frame = reader.next(); frame; frame = full === undefined ? reader.next() : undefined)
      deliver(frame)
    if (full === undefined) socket.resume()
    else socket.pause()
  }
  socket.on('data', (data) => {
    reader.push(data)
    if (full === undefined) pump()
  })
  return {
    stdout,
    stderr,
    onFrame: (handler) => (handle = handler),
    end: () => {
      stdout.push(null)
      if (!terminal) stderr.push(null)
    },
  }
}

/** `exited` promises that the streams ended; one that nobody reads has ended when all of it is here. */
async function bothRead(streams: readonly Readable[]): Promise<void> {
  await Promise.all(
    streams.map(async (stream) => {
      if (stream.readableEnded || stream.destroyed || !stream.readableFlowing) return
      await new Promise<void>((resolve) => {
        stream.once('end', resolve)
        stream.once('close', resolve)
      })
    }),
  )
}

interface Input {
  readonly stream: Writable
  acknowledge(bytes: number): void
  /** The program takes no more. */
  end(): void
}

function createInput(socket: Socket): Input {
  let free = inputWindow
  let waiting: (() => void) | undefined
  let closed = false
  const proceed = (): void => {
    const next = waiting
    waiting = undefined
    next?.()
  }
  const send = (data: Buffer, done: () => void): void => {
    if (closed || data.length === 0) {
      done()
      return
    }
    if (free === 0) {
      waiting = () => send(data, done)
      return
    }
    const part = data.subarray(0, free)
    free -= part.length
    socket.write(encodeFrame('I', part), () => send(data.subarray(part.length), done))
  }
  const stream = new Writable({
    write: (data: Buffer, _encoding, done) => send(data, () => done()),
    final: (done) => {
      if (!closed) socket.write(encodeFrame('E'))
      done()
    },
  })
  // A program may end before it read its input: that is its right, not an error of ours.
  stream.on('error', () => undefined)
  return {
    stream,
    acknowledge: (bytes) => {
      free += bytes
      proceed()
    },
    end: () => {
      closed = true
      proceed()
    },
  }
}
