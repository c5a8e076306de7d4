import { open } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogChunk, LogsFacet } from '@holm/core'
import { isMissing, loadRecord } from './record.ts'
import type { Session } from './session.ts'
import { isHeld } from './state.ts'

const pollMs = 100

/** The output of the wsl.exe that waits for the main process: what went into /run/holm/log inside. All of it is stdout. */
export function createLogs(session: Session): LogsFacet {
  return {
    async *read(name, options, ctx): AsyncGenerator<LogChunk> {
      await session.require(name, ctx)
      const folder = await session.folder(name, ctx)
      const file = await open(path.join(folder, 'log')).catch((error: unknown) => {
        if (isMissing(error)) return undefined
        throw error
      })
      if (file === undefined) return
      try {
        let position = options.tail === undefined ? 0 : findTail(await file.readFile(), options.tail)
        for (;;) {
          // Looked at before reading: what is written before the end is read after it was seen.
          const record = await loadRecord(folder)
          const live = record !== undefined && isHeld(record, session.machine.side)
          const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(65_536), position })
          position += bytesRead
          if (bytesRead > 0) yield { stream: 'stdout', data: buffer.subarray(0, bytesRead) }
          else if (!options.follow || !live || ctx.signal.aborted) return
          else await sleep(pollMs, undefined, { signal: ctx.signal }).catch(() => undefined)
        }
      } finally {
        await file.close()
      }
    },
  }
}

/** Where the last `lines` lines begin. */
export function findTail(content: Uint8Array, lines: number): number {
  if (lines <= 0) return content.length
  let left = lines
  for (let index = content.length - 2; index >= 0; index -= 1) {
    if (content[index] === 10) left -= 1
    if (left === 0) return index + 1
  }
  return 0
}
