import type { ProviderContext } from '@holm/core'
import { startExec } from './exec.ts'
import type { Session } from './session.ts'

export interface Said {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

export interface InsideRequest {
  /** A script of sh(1); its words come as `$1`… */
  readonly script: string
  readonly words?: readonly string[]
  readonly input?: AsyncIterable<Uint8Array>
}

/** Runs a script as root to its end, on the way every program goes. */
export async function runInside(
  session: Session,
  name: string,
  { request, ctx }: { readonly request: InsideRequest; readonly ctx: ProviderContext },
): Promise<Said> {
  const process = await startExec(session, name, {
    request: {
      argv: ['sh', '-c', request.script, 'holm', ...(request.words ?? [])],
      cwd: '/',
      user: 'root',
      stdin: request.input === undefined ? 'ignore' : 'pipe',
    },
    ctx,
  })
  const sending = send(process.stdin, request.input)
  const [stdout, stderr] = await Promise.all([readAll(process.stdout), readAll(process.stderr)])
  const { code } = await process.exited
  await sending
  return { code, stdout, stderr: stderr.toString('utf8') }
}

async function send(
  stdin: NodeJS.WritableStream | null,
  input: AsyncIterable<Uint8Array> | undefined,
): Promise<void> {
  if (stdin === null || input === undefined) return
  // What does not read its input says why in its code.
  const failed = new Promise<void>((resolve) => stdin.once('error', () => resolve()))
  for await (const chunk of input) {
    if (!stdin.writable) break
    if (stdin.write(chunk)) continue
    await Promise.race([new Promise<void>((resolve) => stdin.once('drain', () => resolve())), failed])
  }
  stdin.end()
}

export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
