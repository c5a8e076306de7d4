import { open } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogChunk, LogsFacet, LogsOptions } from '@holm/core'
import { findContainer } from './container.ts'
import { isMissing } from './files-on-disk.ts'
import type { Session } from './session.ts'

const pollMs = 50

/** What went to the console: PID 1's output, and what others write to /proc/1/fd/1. A terminal, so everything is stdout. */
export function createLogs(session: Session): LogsFacet {
  return {
    async *read(name, options, ctx): AsyncGenerator<LogChunk> {
      await session.require(name)
      const folder = session.folder(name)
      const live = (): boolean => findContainer(folder) !== undefined
      yield* readConsole({ file: path.join(folder, 'console.log'), live, options, signal: ctx.signal })
    },
  }
}

export interface ConsoleReading {
  readonly file: string
  /** Whether there may be more. */
  readonly live: () => boolean | Promise<boolean>
  readonly options: LogsOptions
  readonly signal: AbortSignal
}

/** A file that is not there is an empty log. */
export async function* readConsole({
  file: place,
  live,
  options,
  signal,
}: ConsoleReading): AsyncGenerator<LogChunk> {
  const file = await open(place).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (file === undefined) return
  try {
    let position = options.tail === undefined ? 0 : findTail(await file.readFile(), options.tail)
    const clean = createLineEndings()
    for (;;) {
      // Looked at before reading: what is written before the end is read after it was seen.
      const more = options.follow && (await live())
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(65_536), position })
      position += bytesRead
      const data = clean(buffer.subarray(0, bytesRead))
      if (data.length > 0) yield { stream: 'stdout', data }
      if (bytesRead > 0) continue
      if (!more || signal.aborted) return
      await sleep(pollMs, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    await file.close()
  }
}

/** Where the last `lines` lines begin. */
export function findTail(content: Uint8Array, lines: number): number {
  if (lines <= 0) return content.length
  let left = lines
  for (let index = content.length - 2; index >= 0; index -= 1) {
    if (content[index] === 10 && --left === 0) return index + 1
  }
  return 0
}

/** A terminal ends its lines with two characters; a log has one. Remembers between chunks. */
export function createLineEndings(): (chunk: Uint8Array) => Uint8Array {
  let held = false
  return (chunk) => {
    const out: number[] = []
    for (const byte of chunk) {
      if (held && byte !== 10) out.push(13)
      held = byte === 13
      if (!held) out.push(byte)
    }
    return Uint8Array.from(out)
  }
}
