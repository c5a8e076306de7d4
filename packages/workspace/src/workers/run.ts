import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { PassThrough } from 'node:stream'
import { isHolmError } from '@holm/core'
import type { HostApi } from '@holm/core'
import type { Workspaces } from '../api.ts'
import type { Worker } from './names.ts'

export interface RunOptions {
  readonly argv: readonly string[]
  /** Folder for what each worker says: `<name>.log`. */
  readonly output: string
  readonly parallel: boolean
  readonly signal: AbortSignal
  readonly lend: Workspaces['lendCredentials']
}

export interface RunEnd {
  readonly worker: number
  readonly name: string
  /** Undefined when it could not be started. */
  readonly code: number | undefined
  readonly elapsedMs: number
  /** Absolute path of everything it said. */
  readonly log: string
  /** Its last line that says anything; the error where it could not be started. */
  readonly lastLine: string
}

/** Runs one command in every worker; one that fails stops none of the others. */
export async function runInWorkers(
  host: HostApi,
  workers: readonly Worker[],
  options: RunOptions,
): Promise<RunEnd[]> {
  mkdirSync(options.output, { recursive: true })
  const run = (worker: Worker): Promise<RunEnd> => runInWorker(host, worker, options)
  if (options.parallel) return Promise.all(workers.map(run))
  const ends: RunEnd[] = []
  for (const worker of workers) ends.push(await run(worker))
  return ends
}

async function runInWorker(
  host: HostApi,
  { worker, name }: Worker,
  { argv, output, signal, lend }: RunOptions,
): Promise<RunEnd> {
  const log = join(output, `${name}.log`)
  const begin = performance.now()
  const end = (code: number | undefined, lastLine: string): RunEnd => ({
    worker,
    name,
    code,
    elapsedMs: Math.round(performance.now() - begin),
    log,
    lastLine,
  })
  try {
    const lent = await lend(name, { signal })
    const process = await host.exec({ environment: name, argv, env: lent.env, signal, stdin: 'ignore' })
    const both = new PassThrough()
    const last = createLastLine()
    both.on('data', last.push)
    const written = pipeline(both, createWriteStream(log))
    await Promise.all([
      pipeline(process.stdout, both, { end: false }),
      pipeline(process.stderr, both, { end: false }),
      process.exited,
    ])
    both.end()
    await written
    await lent.close()
    return end((await process.exited).code, last.read())
  } catch (error) {
    // Also where its log could not be written: the others go on.
    const code = isHolmError(error) ? error.code : isFull(error) ? 'HOLM_DISK_FULL' : 'HOLM_COMMAND_FAILED'
    return end(undefined, `${code}: ${(error as Error).message}`)
  }
}

function isFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOSPC'
}

/** The last line of a stream that is not blank, without keeping the stream. */
function createLastLine(): { push(chunk: Buffer): void; read(): string } {
  let text = ''
  return {
    push: (chunk) => {
      text = (text + chunk.toString()).slice(-4096)
    },
    read: () => text.trimEnd().split('\n').at(-1)?.trim() ?? '',
  }
}
