import type { LogChunk, LogsFacet } from '@holm/core'
import { readConsole } from '../logs.ts'
import { parseRecord } from './record.ts'
import type { IncusSession } from './session.ts'
import { statusOf } from './state.ts'

/** LXC writes the console into a file of ours: what the daemon itself keeps of it is short, and read only once. */
export function createLogs(session: IncusSession): LogsFacet {
  return {
    async *read(name, options, ctx): AsyncGenerator<LogChunk> {
      const { log } = parseRecord(await session.require(name, ctx))
      const live = async (): Promise<boolean> => {
        const now = ctx.signal.aborted ? undefined : await session.find(name, ctx)
        return now !== undefined && ['running', 'paused'].includes(statusOf(now))
      }
      yield* readConsole({ file: log, live, options, signal: ctx.signal })
    },
  }
}
