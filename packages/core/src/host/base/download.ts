import { createReadStream, createWriteStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { HolmError, abortError, isHolmError } from '../../errors.ts'
import { isDiskFull, readJson, storageError, writeJson } from './entries.ts'
import type { ProgressUpdate } from '../../provider.ts'

export interface TransferOptions {
  readonly fetch: typeof globalThis.fetch
  /** Known in advance: a resumed file is checked against it, so that a server needs no validator. */
  readonly sha256?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (update: ProgressUpdate) => void
}

/** What a partial file is a part of. */
interface PartNote {
  readonly url: string
  readonly validator: string | undefined
}

/** Downloads into `part`, going on from where an earlier try of the same file ended. */
export async function downloadInto(url: string, part: string, options: TransferOptions): Promise<void> {
  const note = await readJson<PartNote>(`${part}.json`).catch(() => undefined)
  const mayResume = note?.url === url && (note.validator !== undefined || options.sha256 !== undefined)
  const start = mayResume ? await sizeOf(part) : 0
  const response = await request(url, start, { note, part, options })
  const resumed = response.status === 206
  const validator = response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined
  await writeJson(`${part}.json`, { url, ...(validator === undefined ? {} : { validator }) })
  const length = Number(response.headers.get('content-length'))
  const first = resumed ? start : 0
  const counter = countBytes(url, { first, total: length > 0 ? first + length : undefined, options })
  const body = Readable.fromWeb(response.body as ReadableStream<Uint8Array>)
  await transfer([body, counter], part, { resumed, options, what: url })
}

/** Copies a local file into `part`. */
export async function copyInto(path: string, part: string, options: TransferOptions): Promise<void> {
  const total = await sizeOf(path)
  const counter = countBytes(path, { first: 0, total, options })
  await transfer([createReadStream(path), counter], part, { resumed: false, options, what: path })
}

interface Asking {
  readonly note: PartNote | undefined
  readonly part: string
  readonly options: TransferOptions
}

async function request(url: string, start: number, { note, part, options }: Asking): Promise<Response> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (start > 0) {
    headers['range'] = `bytes=${start}-`
    if (note?.validator !== undefined) headers['if-range'] = note.validator
  }
  const signal = options.signal ? { signal: options.signal } : {}
  const response = await options.fetch(url, { headers, ...signal }).catch((error: unknown) => {
    throw transferError(error, { what: url, part, signal: options.signal })
  })
  // The part is as long as the file or longer: begin anew, the checksum decides.
  if (response.status === 416 && start > 0) return request(url, 0, { note, part, options })
  if (response.ok && response.body) return response
  throw new HolmError('HOLM_COMMAND_FAILED', `${url} answered ${response.status}`, {
    hint: 'Correct the address, or fetch the file elsewhere and use holm base add.',
    details: { url, status: response.status },
  })
}

interface Counting {
  readonly first: number
  readonly total: number | undefined
  readonly options: TransferOptions
}

function countBytes(item: string, { first, total, options }: Counting): Transform {
  let current = first
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      current += chunk.byteLength
      const known = total === undefined ? {} : { total }
      options.onProgress?.({ message: `fetching ${item}`, current, unit: 'bytes', ...known })
      done(null, chunk)
    },
  })
}

interface Transfer {
  readonly resumed: boolean
  readonly options: TransferOptions
  readonly what: string
}

async function transfer(
  [source, counter]: readonly [Readable, Transform],
  part: string,
  { resumed, options, what }: Transfer,
): Promise<void> {
  const target = createWriteStream(part, { flags: resumed ? 'a' : 'w', mode: 0o600 })
  const signal = options.signal ? { signal: options.signal } : {}
  try {
    await pipeline(source, counter, target, signal)
  } catch (error) {
    const failure = transferError(error, { what, part, signal: options.signal })
    if (isHolmError(failure, 'HOLM_DISK_FULL')) await removePart(part)
    throw failure
  }
}

interface Place {
  readonly what: string
  readonly part: string
  readonly signal: AbortSignal | undefined
}

function transferError(error: unknown, { what, part, signal }: Place): HolmError {
  if (signal?.aborted === true) return abortError(signal)
  if (isDiskFull(error)) return storageError(part, error)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const why = cause instanceof Error ? cause.message : String(cause)
  return new HolmError('HOLM_COMMAND_FAILED', `${what} could not be fetched: ${why}`, {
    hint: 'Check the network and run the same command again; it goes on where it ended.',
    cause: error,
  })
}

/** Removes a partial file and the note beside it. */
export async function removePart(part: string): Promise<void> {
  await Promise.all([rm(part, { force: true }), rm(`${part}.json`, { force: true })])
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}
