import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogChunk, LogsFacet } from '@holm/core'
import { fileNames } from './argv.ts'
import { isMissing } from './files-on-disk.ts'
import { loadRecord } from './record.ts'
import type { Session } from './session.ts'
import { isRunning } from './state.ts'

const pollMs = 50

/** What went to the console of the environment's first program. One file, so everything is stdout. */
export function createLogs(session: Session): LogsFacet {
  return {
    async *read(name, options, ctx): AsyncGenerator<LogChunk> {
      const { base } = await session.require(name)
      // An init system of the base writes to the console of the kernel.
      const source = base.kind === 'disk' ? fileNames.console : fileNames.log
      const file = await open(path.join(session.folder(name), source)).catch((error: unknown) => {
        if (isMissing(error)) return undefined
        throw error
      })
      if (file === undefined) return
      try {
        let position = options.tail === undefined ? 0 : await tailStart(file, options.tail)
        for (;;) {
          // Looked at before reading: what is written before the end is read after it was seen.
          const record = await loadRecord(session.folder(name))
          const live = record !== undefined && isRunning(record)
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

async function tailStart(file: FileHandle, lines: number): Promise<number> {
  return findTail(await file.readFile(), lines)
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
