import { createHash } from 'node:crypto'
import { abortError } from '@holm/core'
import type { Descriptor } from './api.ts'
import type { Client } from './client.ts'
import { isStatus } from './failure.ts'

/** containerd's server takes messages of up to 16 MiB. */
const chunkBytes = 1 << 20

export interface BlobRequest {
  /** Names the upload; the same one cannot go on twice at once. */
  readonly ref: string
  readonly mediaType: string
  /** "sha256:…" when it is known before: a blob that is there is not sent again, and a wrong one is refused. */
  readonly expected?: string
  readonly data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  readonly labels?: Readonly<Record<string, string>>
  readonly lease: string
  readonly signal: AbortSignal
  /** Told the bytes sent so far. */
  readonly onProgress?: (bytes: number) => void
}

/** Sends a blob to containerd's content store and says what it is. An upload that fails is removed. */
export async function writeBlob(client: Client, request: BlobRequest): Promise<Descriptor> {
  const { ref, lease, mediaType, expected = '', labels = {} } = request
  const writer = client.write({ lease })
  try {
    await writer.send({ action: 'STAT', ref, expected })
    const { size, digest } = await sendChunks(writer, request)
    if (expected !== '' && expected !== digest)
      throw new TypeError(`the data has the digest ${digest}, not ${expected}`)
    await writer
      .send({ action: 'COMMIT', ref, total: size, offset: size, expected: digest, labels })
      .catch((error: unknown) => ignoreExisting(error))
    await addLabels(client, digest, labels)
    return { mediaType, digest, size }
  } catch (error) {
    if (expected !== '' && isStatus(error, 'ALREADY_EXISTS')) {
      await addLabels(client, expected, labels)
      const { info } = await client.call('Content.Info', { digest: expected })
      return { mediaType, digest: expected, size: info.size }
    }
    await client.call('Content.Abort', { ref }).catch(() => {})
    throw error
  } finally {
    writer.end()
  }
}

async function sendChunks(
  writer: ReturnType<Client['write']>,
  { data, ref, signal, onProgress }: BlobRequest,
): Promise<{ size: number; digest: string }> {
  const hash = createHash('sha256')
  let size = 0
  let before: Promise<unknown> = Promise.resolve()
  for await (const chunk of inChunks(data)) {
    if (signal.aborted) throw abortError(signal)
    const sent = writer.send({ action: 'WRITE', ref, offset: size, data: chunk })
    // An answer is waited for one chunk later, so that neither side is idle. Its error is thrown then.
    sent.catch(() => {})
    hash.update(chunk)
    await before
    before = sent
    size += chunk.length
    onProgress?.(size)
  }
  await before
  return { size, digest: `sha256:${hash.digest('hex')}` }
}

/** Pieces of one size: every one is answered, and a decompressor gives small ones. */
async function* inChunks(
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  let held: Uint8Array[] = []
  let bytes = 0
  for await (const piece of data) {
    for (let at = 0; at < piece.length; at += chunkBytes) {
      const part = piece.subarray(at, at + chunkBytes)
      held.push(part)
      bytes += part.length
      if (bytes < chunkBytes) continue
      yield held.length === 1 ? part : Buffer.concat(held)
      held = []
      bytes = 0
    }
  }
  if (bytes > 0) yield Buffer.concat(held)
}

function ignoreExisting(error: unknown): void {
  if (!isStatus(error, 'ALREADY_EXISTS')) throw error
}

/** A blob that was there before has the labels of then. */
async function addLabels(
  client: Client,
  digest: string,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  const paths = Object.keys(labels).map((key) => `labels.${key}`)
  if (paths.length > 0)
    await client.call('Content.Update', { info: { digest, labels }, updateMask: { paths } })
}

/** A small blob that holds JSON, as its descriptor. */
export function writeJson(
  client: Client,
  value: unknown,
  blob: Pick<BlobRequest, 'mediaType' | 'labels' | 'lease' | 'signal'>,
): Promise<Descriptor> {
  const data = Buffer.from(JSON.stringify(value))
  const expected = `sha256:${createHash('sha256').update(data).digest('hex')}`
  return writeBlob(client, { ...blob, ref: `holm-${expected}`, expected, data: [data] })
}

/** Undefined when containerd does not hold it. */
export async function readJson(client: Client, digest: string): Promise<unknown> {
  const parts: Uint8Array[] = []
  try {
    for await (const { data } of client.stream('Content.Read', { digest, offset: 0, size: 0 }))
      parts.push(data)
  } catch (error) {
    if (isStatus(error, 'NOT_FOUND')) return undefined
    throw error
  }
  return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown
}
