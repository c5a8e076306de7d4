import type { Readable } from 'node:stream'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'

/** One line of the engine's JSON stream for pull, import and build. */
export interface ProgressLine {
  readonly stream?: string
  readonly status?: string
  readonly id?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
  readonly error?: string
  readonly errorDetail?: { readonly message?: string }
  readonly aux?: { readonly ID?: string }
}

export interface FollowOptions {
  readonly message: string
  readonly ctx: Pick<ProviderContext, 'progress' | 'signal'>
}

/** Error that the engine reported in the middle of a stream, with what came before it. */
export class StreamFailure extends Error {
  readonly lines: readonly string[]
  constructor(message: string, lines: readonly string[]) {
    super(message)
    this.name = 'StreamFailure'
    this.lines = lines
  }
}

/** Reads to the end, passing progress on. Returns the last lines of text; throws StreamFailure for an error inside the stream. */
export async function followProgress(stream: Readable, options: FollowOptions): Promise<readonly string[]> {
  const tail: string[] = []
  for await (const line of jsonLines(stream)) {
    const error = line.error ?? line.errorDetail?.message
    if (error !== undefined) throw new StreamFailure(error.trim(), tail)
    remember(tail, line)
    report(line, options)
  }
  return tail
}

async function* jsonLines(stream: Readable): AsyncIterable<ProgressLine> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) yield* parseLine(part)
  }
  yield* parseLine(rest)
}

/** Pure; nothing for an empty line, HOLM_ENVIRONMENT_FAILED for what is no JSON. */
export function parseLine(text: string): readonly ProgressLine[] {
  const line = text.trim()
  if (line === '') return []
  try {
    return [JSON.parse(line) as ProgressLine]
  } catch (cause) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_FAILED',
      `the engine sent a progress line that is no JSON: ${line.slice(0, 200)}`,
      { cause },
    )
  }
}

const tailLines = 40

function remember(tail: string[], line: ProgressLine): void {
  const lines = (line.stream ?? '').split('\n').filter((text) => text.trim() !== '')
  tail.push(...lines)
  if (tail.length > tailLines) tail.splice(0, tail.length - tailLines)
}

function report(line: ProgressLine, { message, ctx }: FollowOptions): void {
  const text = line.stream?.trim() || line.status
  if (!text) return
  const { current, total } = line.progressDetail ?? {}
  ctx.progress({
    message: line.stream === undefined ? message : `${message}: ${text}`,
    ...(line.id !== undefined && { item: `${line.id} ${line.status ?? ''}`.trim() }),
    ...(current !== undefined && { current, unit: 'bytes' as const }),
    ...(total !== undefined && total > 0 && { total }),
  })
}
