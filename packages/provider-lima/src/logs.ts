import { open, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { abortError } from '@holm/core'
import type { LogChunk, LogsFacet, LogsOptions, ProviderContext } from '@holm/core'
import { isAlive } from './lock.ts'
import type { Session } from './session.ts'
import { requireStored } from './store.ts'

/** The consoles a machine can have: which of them it writes to depends on processor and driver. */
const consoles = ['serial.log', 'serialp.log', 'serialv.log'] as const

/** Lima's own words about the machine: read where the machine itself has said nothing. */
const agentLog = 'ha.stderr.log'

/** Milliseconds between two looks at the files. */
const intervalMs = 200

export function createLogs(session: Session): LogsFacet {
  return {
    async *read(name, options, ctx) {
      const { instance } = await requireStored(session, name)
      yield* readLogs(session.folder(instance), options, ctx)
    },
  }
}

async function* readLogs(
  folder: string,
  options: LogsOptions,
  ctx: ProviderContext,
): AsyncIterable<LogChunk> {
  const files = consoles.map((file) => createTail(path.join(folder, file)))
  const past = Buffer.concat(await Promise.all(files.map((file) => file.next())))
  const said = past.length > 0 || options.follow ? past : await agentWords(folder)
  const data = lastLines(said, options.tail)
  if (data.length > 0) yield { stream: said === past ? 'stdout' : 'stderr', data }
  if (!options.follow) return
  for (;;) {
    // Looked at before the files: what was written until then is not missed.
    const running = await isUp(folder)
    for (const file of files) {
      const chunk = await file.next()
      if (chunk.length > 0) yield { stream: 'stdout', data: chunk }
    }
    if (!running) return
    await sleep(intervalMs, undefined, { signal: ctx.signal }).catch(() => undefined)
    if (ctx.signal.aborted) throw abortError(ctx.signal)
  }
}

async function agentWords(folder: string): Promise<Buffer> {
  return readFile(path.join(folder, agentLog)).catch(() => Buffer.alloc(0))
}

/** The host agent's number is there for as long as the machine is up. */
async function isUp(folder: string): Promise<boolean> {
  const text = await readFile(path.join(folder, 'ha.pid'), 'utf8').catch(() => '')
  const pid = Number(text.trim())
  return pid > 0 && isAlive(pid)
}

interface Tail {
  /** What was written since the last call, line ends as of Unix. */
  next(): Promise<Buffer>
}

/** A file that grows, or begins anew with the next start. */
function createTail(file: string): Tail {
  let offset = 0
  let held = ''
  return {
    next: async () => {
      const size = (await stat(file).catch(() => undefined))?.size ?? 0
      if (size < offset) offset = 0
      if (size === offset) return Buffer.alloc(0)
      const bytes = await readRange(file, offset, size)
      offset += bytes.length
      // Latin-1 keeps every byte as it is.
      const text = held + bytes.toString('latin1')
      held = text.endsWith('\r') ? '\r' : ''
      return Buffer.from(text.slice(0, text.length - held.length).replaceAll('\r\n', '\n'), 'latin1')
    },
  }
}

async function readRange(file: string, from: number, to: number): Promise<Buffer> {
  const handle = await open(file)
  try {
    const buffer = Buffer.alloc(to - from)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** Pure. */
export function lastLines(data: Buffer, count: number | undefined): Buffer {
  if (count === undefined) return data
  if (count === 0) return Buffer.alloc(0)
  let at = data.length
  // The end of the last line is no beginning of one more.
  for (let lines = 0; lines < count; lines += 1) {
    at = at <= 1 ? -1 : data.lastIndexOf(0x0a, at - 2)
    if (at < 0) return data
    at += 1
  }
  return data.subarray(at)
}
