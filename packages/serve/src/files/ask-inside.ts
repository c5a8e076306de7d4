import { HolmError } from '@holm/core'
import type { Process } from '@holm/core'
import type { Call } from '../session.ts'

export interface Question {
  readonly environment: string
  readonly argv: readonly string[]
  readonly input?: Buffer
  readonly timeoutMs: number
  /** More than this from stdout is an error. Default 16 MiB. */
  readonly mostBytes?: number
}

export interface InsideAnswer {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: Buffer
}

/** Runs a program inside to its end. HOLM_TIMEOUT and HOLM_LIMIT_REACHED end it. */
export async function askInside(
  { backend, signal }: Pick<Call, 'backend' | 'signal'>,
  { environment, argv, input, timeoutMs, mostBytes = 16 * 1024 * 1024 }: Question,
): Promise<InsideAnswer> {
  const life = new AbortController()
  const process = await backend.host.exec({
    environment,
    argv,
    stdin: input === undefined ? 'ignore' : 'pipe',
    signal: AbortSignal.any([signal, life.signal]),
  })
  process.stdin?.on('error', () => undefined)
  process.stdin?.end(input)
  let problem: HolmError | undefined
  const end = (error: HolmError): void => {
    problem ??= error
    life.abort(error)
    drop(process)
  }
  const timer = setTimeout(
    () => end(new HolmError('HOLM_TIMEOUT', `${argv[0]} took longer than ${timeoutMs} ms in ${environment}`)),
    timeoutMs,
  )
  const read = async (stream: NodeJS.ReadableStream): Promise<Buffer> => {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > mostBytes)
        end(
          new HolmError(
            'HOLM_LIMIT_REACHED',
            `${argv[0]} wrote more than ${mostBytes} bytes in ${environment}`,
          ),
        )
      else chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }
  try {
    const outputs = await Promise.allSettled([read(process.stdout), read(process.stderr), process.exited])
    if (problem) throw problem
    signal.throwIfAborted()
    const [stdout, stderr, exit] = outputs
    if (stdout.status === 'rejected') throw stdout.reason
    if (stderr.status === 'rejected') throw stderr.reason
    if (exit.status === 'rejected') throw exit.reason
    return { code: exit.value.code, stdout: stdout.value, stderr: stderr.value }
  } finally {
    clearTimeout(timer)
  }
}

function drop(process: Process): void {
  void process.kill('SIGKILL').catch(() => undefined)
}
