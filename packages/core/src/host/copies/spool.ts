import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { HolmError, abortError, isHolmError } from '../../errors.ts'
import type { HostContext } from '../context.ts'

/** A folder of the data folder for one archive on its way; those of holms that are gone are removed first. */
export async function openSpool(host: HostContext): Promise<{ folder: string; close: () => Promise<void> }> {
  const parent = join(host.paths.data, 'spool')
  await mkdir(parent, { recursive: true, mode: 0o700 })
  for (const name of await readdir(parent)) {
    if (!isAlive(Number(name.split('-')[0]))) await rm(join(parent, name), { recursive: true, force: true })
  }
  const folder = join(parent, `${process.pid}-${randomBytes(4).toString('hex')}`)
  await mkdir(folder, { mode: 0o700 })
  return { folder, close: () => rm(folder, { recursive: true, force: true }) }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Writes a stream to a file; what it was, in size and sum. */
export async function writePart(
  source: AsyncIterable<Uint8Array>,
  file: string,
  signal: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      sizeBytes += chunk.length
      done(null, chunk)
    },
  })
  try {
    await pipeline(source, measure, createWriteStream(file, { mode: 0o600 }), { signal })
  } catch (error) {
    throw explain(error, file, signal)
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

function explain(error: unknown, file: string, signal: AbortSignal): unknown {
  if (isHolmError(error)) return error
  if (signal.aborted) return abortError(signal)
  if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') return error
  return new HolmError('HOLM_DISK_FULL', `no space is left for ${file}`, {
    hint: 'Free some space, then try again.',
    cause: error,
  })
}
