import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, resolve as resolvePath } from 'node:path'
import { HolmError } from '../../errors.ts'
import { createFolder } from '../config/folders.ts'
import { hashFile } from './checksum.ts'
import { assertDisk } from './disk.ts'
import { storageError } from './entries.ts'
import { copyInto, downloadInto, removePart } from './download.ts'
import { findServerImage, parseServerImage } from './image-server.ts'
import { findPublished } from './published.ts'
import { findCatalogueEntry, isDiskPath } from './reference.ts'
import { assertRootfsTar } from './rootfs.ts'
import type { Runner } from '../../process.ts'
import type { TransferOptions } from './download.ts'

export interface ImportOptions extends TransferOptions {
  /** `<cache>/bases`. */
  readonly cache: string
  readonly runner: Runner
  /** The disk of a machine; absent: as the ending of the source says. */
  readonly disk?: boolean
  /** Address of the image server that `download:` means. */
  readonly imageServer: string
}

/** Fetches a root filesystem or disk into the cache, verified; returns its path there: its ending says which. */
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
  const image = parseServerImage(source, process.arch)
  if (image && options.disk !== true) {
    const { url, sum } = await findServerImage(options.imageServer, image, options)
    await downloadInto(url, part, { ...options, sha256: sum })
    return options.sha256 ?? sum
  }
  const path = resolvePath(source)
  if (await isFile(path)) {
    await copyInto(path, part, options)
    return options.sha256
  }
  const published = findCatalogueEntry(source)?.[options.disk === true ? 'disk' : 'rootfs']
  if (!published) {
    const what = options.disk === true ? 'disk' : 'root filesystem'
    throw new HolmError(
      'HOLM_BASE_NOT_FOUND',
      `${source} is no file, no address and no base with a published ${what}`,
      {
        hint: 'Give a file, an https address, or a catalogue name such as ubuntu-24.04.',
        details: { source },
      },
    )
  }
  const { url, sum } = await findPublished(published, process.arch, options)
  await downloadInto(url, part, { ...options, sha256: sum })
  return options.sha256 ?? sum
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
  const sum = await hashFile(part, options.signal, expected?.length === 128 ? 'sha512' : 'sha256')
  if (expected !== undefined && expected.toLowerCase() !== sum) {
    await removePart(part)
    throw new HolmError('HOLM_BASE_INVALID', `${source} has checksum ${sum}, expected ${expected}`, {
      hint: 'Do not use the file; check the address and the checksum, then import again.',
      details: { source, sum, expected },
    })
  }
  const ending = await assertForm(part, source, options).catch(async (error: unknown) => {
    if (!options.signal?.aborted) await removePart(part)
    throw error
  })
  const target = join(cache, `${encodeURIComponent(name)}-${sum.slice(0, 12)}.${ending}`)
  await rename(part, target)
  await removePart(part)
  return target
}

/** HOLM_BASE_INVALID for what is neither; returns the ending of its kind. */
async function assertForm(
  part: string,
  source: string,
  { disk = isDiskPath(source), runner, signal }: Pick<ImportOptions, 'disk' | 'runner' | 'signal'>,
): Promise<'tar' | 'qcow2' | 'raw'> {
  if (disk) return assertDisk(part)
  await assertRootfsTar(part, runner, signal)
  return 'tar'
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
