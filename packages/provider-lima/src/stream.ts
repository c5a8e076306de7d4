import { abortError } from '@holm/core'
import { startExec } from './exec.ts'
import { readAll, type InsideRequest } from './inside.ts'
import { whileRunning, type Target } from './lifecycle.ts'

export interface StreamEnd {
  readonly code: number
  readonly stderr: string
}

/** What a script inside writes, while it writes it. `check` throws when its end was no good one. */
export async function* streamInside(
  target: Target,
  request: InsideRequest,
  check: (end: StreamEnd) => void,
): AsyncIterable<Uint8Array> {
  const handOver = createHandOver()
  // The machine stays up until the last byte is taken, or nobody wants more.
  const work = whileRunning(target, () => produce(target, { request, check, handOver })).finally(handOver.end)
  work.catch(() => undefined)
  try {
    yield* handOver.chunks()
  } finally {
    handOver.cancel()
    await work
  }
}

interface Production {
  readonly request: InsideRequest
  readonly check: (end: StreamEnd) => void
  readonly handOver: HandOver
}

async function produce(
  { session, name, ctx }: Target,
  { request, check, handOver }: Production,
): Promise<void> {
  const process = await startExec(session, name, {
    request: {
      argv: ['sh', '-c', request.script, 'holm', ...(request.words ?? [])],
      cwd: '/',
      user: 'root',
    },
    ctx,
  })
  const complaints = readAll(process.stderr)
  let complete = false
  try {
    for await (const chunk of process.stdout as AsyncIterable<Uint8Array>) {
      if (!(await handOver.give(chunk))) return
    }
    complete = true
  } finally {
    if (!complete) await process.kill('SIGKILL').catch(() => undefined)
  }
  const exit = await process.exited.catch((error: unknown) => {
    throw ctx.signal.aborted ? abortError(ctx.signal) : error
  })
  if (ctx.signal.aborted) throw abortError(ctx.signal)
  check({ code: exit.code, stderr: (await complaints).toString('utf8') })
}

interface HandOver {
  /** Resolves when the chunk was taken: true for more, false when no more is wanted. */
  give(chunk: Uint8Array): Promise<boolean>
  chunks(): AsyncIterable<Uint8Array>
  end(): void
  cancel(): void
}

/** One chunk at a time from one asynchronous function to another. */
function createHandOver(): HandOver {
  let waiting: { readonly chunk: Uint8Array; readonly taken: (more: boolean) => void } | undefined
  let wake: (() => void) | undefined
  let state: 'open' | 'ended' | 'cancelled' = 'open'
  const change = (next: typeof state): void => {
    if (state === 'open') state = next
    if (next === 'cancelled') waiting?.taken(false)
    wake?.()
  }
  return {
    give: (chunk) => {
      if (state !== 'open') return Promise.resolve(false)
      return new Promise((taken) => {
        waiting = { chunk, taken }
        wake?.()
      })
    },
    async *chunks() {
      for (;;) {
        const next = waiting
        if (next !== undefined) {
          waiting = undefined
          yield next.chunk
          next.taken(true)
        } else if (state !== 'open') return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    end: () => change('ended'),
    cancel: () => change('cancelled'),
  }
}
