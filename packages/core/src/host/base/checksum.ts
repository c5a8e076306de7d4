import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { readJson, writeJson } from './entries.ts'

interface Remembered {
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly sha256: string
}

/** SHA-256 (or the other one) of a file in hex, streamed. */
export async function hashFile(
  path: string,
  signal?: AbortSignal,
  algorithm: 'sha256' | 'sha512' = 'sha256',
): Promise<string> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, signal ? { signal } : {})
  return hash.digest('hex')
}

/**
 * SHA-256 and size of a file; read anew only when its size or time changed since `<cache>/bases/checksums.json` was told.
 * What is read anew is shown to `look`, which may throw.
 */
export async function checksumOf(
  path: string,
  cache: string,
  look?: () => Promise<void>,
): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const { size, mtimeMs } = await stat(path)
  const file = join(cache, 'checksums.json')
  const load = (): Promise<Record<string, Remembered>> =>
    readJson<Record<string, Remembered>>(file).then(
      (found) => found ?? {},
      () => ({}),
    )
  const remembered = (await load())[path]
  if (remembered?.sizeBytes === size && remembered.modifiedMs === mtimeMs)
    return { sha256: remembered.sha256, sizeBytes: size }
  const sha256 = await hashFile(path)
  await look?.()
  // A cache that cannot be written costs time the next time, nothing else.
  await writeJson(file, {
    ...(await load()),
    [path]: { sizeBytes: size, modifiedMs: mtimeMs, sha256 },
  }).catch(() => undefined)
  return { sha256, sizeBytes: size }
}
