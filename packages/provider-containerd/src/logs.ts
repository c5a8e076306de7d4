import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import type { HolmError, LogChunk, LogsFacet } from '@holm/core'
import type { Client } from './client.ts'
import type { Engine } from './engine.ts'
import { findTask, requireEnvironment } from './environment.ts'
import { explain, isStatus } from './failure.ts'
import { absenceMs } from './process-end.ts'
import { filesOf } from './record.ts'

const blockBytes = 64 << 10

/** Milliseconds between two looks at a log that is followed. */
const pollMs = 50

/** The main process writes into a file, through its supervisor: so nothing of it depends on holm or containerd. Both streams are one. */
export function logsFacet(engine: Engine): LogsFacet {
  return {
    async *read(name, { follow, tail }, ctx) {
      const request = { ctx, action: `read the log of ${name}`, environment: name }
      const client = await engine.client()
      const found = await engine.use(request, (connected) => requireEnvironment(connected, name))
      const { log } = filesOf(found.record.folder)
      const explained = (error: unknown): HolmError => explain(error, { ...request, address: engine.address })
      const watch = createWatch(client, { containerId: found.container.id, signal: ctx.signal, explained })
      const file = await openLog(log, follow ? watch : undefined)
      if (!file) return
      try {
        let at = tail === undefined ? 0 : await tailStart(file, tail)
        for (;;) {
          const ended = follow ? await watch.hasEnded() : true
          for await (const data of readFrom(file, at)) {
            at += data.length
            yield { stream: 'stdout', data } satisfies LogChunk
          }
          if (ended || ctx.signal.aborted) return
          await wait(pollMs)
        }
      } finally {
        await file.close()
      }
    },
  }
}

interface Watch {
  readonly signal: AbortSignal
  readonly hasEnded: () => Promise<boolean>
}

interface WatchOptions {
  readonly containerId: string
  readonly signal: AbortSignal
  readonly explained: (error: unknown) => HolmError
}

/** A containerd that is away for a moment has not ended anything; one that stays away is an error. */
function createWatch(client: Client, { containerId, signal, explained }: WatchOptions): Watch {
  let awaySince: number | undefined
  return {
    signal,
    async hasEnded() {
      try {
        const task = await findTask(client, containerId)
        awaySince = undefined
        return !task || task.status === 'STOPPED'
      } catch (error) {
        awaySince ??= performance.now()
        const isAway = isStatus(error, 'UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED')
        if (isAway && performance.now() - awaySince < absenceMs) return false
        throw explained(error)
      }
    },
  }
}

/** Undefined before the first start; a follower waits for it. */
async function openLog(log: string, watch: Watch | undefined): Promise<FileHandle | undefined> {
  for (;;) {
    if (await stat(log).catch(() => undefined)) return open(log)
    if (!watch || watch.signal.aborted || (await watch.hasEnded())) return undefined
    await wait(pollMs)
  }
}

async function* readFrom(file: FileHandle, start: number): AsyncGenerator<Uint8Array, void> {
  for (let at = start; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(blockBytes), 0, blockBytes, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** Where the last lines begin; searched from the end, for a log may be long. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  if (lines === 0) return size
  let wanted = lines
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - blockBytes)
    const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start)
    for (let index = buffer.length - 1; index >= 0; index -= 1) {
      // The line feed that ends the last line begins no other one.
      if (buffer[index] !== 10 || start + index === size - 1) continue
      wanted -= 1
      if (wanted === 0) return start + index + 1
    }
    end = start
  }
  return 0
}
