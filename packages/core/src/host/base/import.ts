import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve as resolvePath } from 'node:path'
import { HolmError } from '../../errors.ts'
import { createFolder } from '../config/paths.ts'
import { hashFile } from './checksum.ts'
import { storageError } from './entries.ts'
import { copyInto, downloadInto, removePart } from './download.ts'
import { findPublished } from './published.ts'
import { findCatalogueEntry } from './reference.ts'
import { assertRootfsTar } from './rootfs.ts'
import type { Runner } from '../../process.ts'
import type { TransferOptions } from './download.ts'

export interface ImportOptions extends TransferOptions {
  /** `<cache>/bases`. */
  readonly cache: string
  readonly runner: Runner
}

/** Fetches a root filesystem into the cache, verified; returns its path there. */
export async function importBase(name: string, source: string, options: ImportOptions): Promise<string> {
  createFolder(options.cache)
  const part = join(options.cache, `${encodeURIComponent(name)}.part`)
  const unlock = await lock(`${part}.lock`, name)
  try {
    const expected = await fetchInto(part, source, options)
    return await finish(name, part, { ...options, source, expected })
  } finally {
    await unlock()
  }
}

/** Returns the checksum the bytes must have, when one is known. */
async function fetchInto(part: string, source: string, options: ImportOptions): Promise<string | undefined> {
  if (/^https?:\/\//.test(source)) {
    assertTrusted(source, options.sha256)
    await downloadInto(source, part, options)
    return options.sha256
  }
  const path = resolvePath(source)
  if (await isFile(path)) {
    await copyInto(path, part, options)
    return options.sha256
  }
  const published = findCatalogueEntry(source)?.rootfs
  if (!published) {
    throw new HolmError(
      'HOLM_BASE_NOT_FOUND',
      `${source} is no file, no address and no base with a published root filesystem`,
      {
        hint: 'Give a tarball, an https address, or a catalogue name such as alpine-3.22 or ubuntu-24.04.',
        details: { source },
      },
    )
  }
  const { url, sha256 } = await findPublished(published, process.arch, options)
  await downloadInto(url, part, { ...options, sha256 })
  return options.sha256 ?? sha256
}

interface Finish extends ImportOptions {
  readonly source: string
  readonly expected: string | undefined
}

async function finish(
  name: string,
  part: string,
  { cache, source, expected, ...options }: Finish,
): Promise<string> {
  const sha256 = await hashFile(part, options.signal)
  if (expected !== undefined && expected.toLowerCase() !== sha256) {
    await removePart(part)
    throw new HolmError('HOLM_BASE_INVALID', `${source} has checksum ${sha256}, expected ${expected}`, {
      hint: 'Do not use the file; check the address and the checksum, then import again.',
      details: { source, sha256, expected },
    })
  }
  try {
    await assertRootfsTar(part, options.runner, options.signal)
  } catch (error) {
    if (!options.signal?.aborted) await removePart(part)
    throw error
  }
  const target = join(cache, `${encodeURIComponent(name)}-${sha256.slice(0, 12)}.tar`)
  await rename(part, target)
  await removePart(part)
  return target
}

/** Plain http can be changed on its way: only with a checksum, or from this machine itself. */
function assertTrusted(source: string, sha256: string | undefined): void {
  const { protocol, hostname } = new URL(source)
  if (protocol === 'https:' || sha256 !== undefined || /^(?:127\.|localhost$|\[::1\]$)/.test(hostname)) return
  throw new HolmError('HOLM_USAGE', `${source} is not encrypted and no checksum is given`, {
    hint: "Use an https address, or give the file's checksum with --sha256.",
  })
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

/** One holm at a time writes the partial file of a name; the lock of a process that is gone is taken over. */
async function lock(path: string, name: string): Promise<() => Promise<void>> {
  const take = (): Promise<boolean> =>
    writeFile(path, String(process.pid), { flag: 'wx' }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false
        throw storageError(path, error)
      },
    )
  if (!(await take())) {
    const owner = Number(await readFile(path, 'utf8').catch(() => ''))
    if (isAlive(owner)) {
      throw new HolmError(
        'HOLM_ENVIRONMENT_BUSY',
        `another holm process (${owner}) is fetching base ${name}`,
        {
          hint: 'Wait until it is done, then look with holm base list.',
        },
      )
    }
    await writeFile(path, String(process.pid))
  }
  return () => rm(path, { force: true })
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
