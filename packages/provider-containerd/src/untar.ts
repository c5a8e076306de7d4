import { constants } from 'node:fs'
import type { Stats } from 'node:fs'
import { chmod, lchown, link, lstat, lutimes, mkdir, open, rm, symlink, utimes } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { Header } from 'tar-stream'
import { openInside } from './open-inside.ts'

export interface UntarRequest {
  /** Root of the environment's files on this machine. */
  readonly root: string
  /** Folder inside, which exists. */
  readonly folder: string
  readonly tar: AsyncIterable<Uint8Array>
}

/** Unpacks with owners and modes as in the archive. Nothing is written outside of `root`, whatever links there are. */
export async function untar({ root, folder, tar }: UntarRequest): Promise<void> {
  const { default: tarStream } = await import('tar-stream')
  const extract = tarStream.extract()
  const feeding = feed(extract, tar)
  try {
    for await (const entry of extract) {
      await putEntry(entry.header, { root, folder, data: entry as AsyncIterable<Uint8Array> })
      entry.resume()
    }
  } catch (error) {
    extract.destroy()
    await feeding.catch(() => {})
    throw error
  }
  await feeding
}

async function feed(
  extract: {
    write(chunk: Uint8Array): boolean
    end(data: unknown): void
    once(event: 'drain', go: () => void): unknown
    destroy(error?: Error): void
  },
  tar: AsyncIterable<Uint8Array>,
): Promise<void> {
  try {
    for await (const chunk of tar)
      if (!extract.write(chunk)) await new Promise<void>((resolve) => void extract.once('drain', resolve))
    extract.end(undefined)
  } catch (error) {
    extract.destroy(error as Error)
    throw error
  }
}

interface Entry {
  readonly root: string
  readonly folder: string
  readonly data: AsyncIterable<Uint8Array>
}

async function putEntry(header: Header, entry: Entry): Promise<void> {
  const inner = path.posix.normalize(`/${header.name}`)
  const name = path.posix.basename(inner)
  // "./" is the folder itself, whose owner and mode are not the archive's to change.
  if (name === '') return
  const parent = await openInside(entry.root, `${entry.folder}/${path.posix.dirname(inner)}`, (missing) =>
    mkdir(missing, { mode: 0o755 }),
  )
  if (!parent) throw noFolder(entry.folder)
  try {
    await putAt(`${parent.path}/${name}`, header, entry)
  } finally {
    await parent.close()
  }
}

async function putAt(target: string, header: Header, entry: Entry): Promise<void> {
  const there = await lstat(target).catch(() => undefined)
  if (header.type === 'directory') return putFolder(target, header, there)
  if (there) await rm(target, { recursive: true, force: true })
  switch (header.type) {
    case 'symlink':
      await symlink(header.linkname, target)
      await lchown(target, header.uid, header.gid)
      if (header.mtime) await lutimes(target, header.mtime, header.mtime)
      return
    case 'link':
      return putLink(target, header, entry)
    case 'file':
    case 'contiguous-file':
      return putFile(target, header, entry.data)
    default:
      throw new HolmError('HOLM_USAGE', `the archive has ${header.name}, a ${header.type}`, {
        hint: 'Copy files, folders and links only.',
      })
  }
}

async function putFolder(target: string, header: Header, there: Stats | undefined): Promise<void> {
  if (there && !there.isDirectory()) await rm(target, { force: true })
  if (!there?.isDirectory()) await mkdir(target)
  await finish(target, header)
}

async function putFile(target: string, header: Header, data: AsyncIterable<Uint8Array>): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = await open(target, flags, 0o600)
  try {
    for await (const chunk of data) await file.writeFile(chunk)
  } finally {
    await file.close()
  }
  await finish(target, header)
}

/** A hard link names another entry of the archive, from the folder that it is unpacked into. */
async function putLink(target: string, { linkname }: Header, { root, folder }: Entry): Promise<void> {
  const inner = path.posix.normalize(`/${linkname}`)
  const parent = await openInside(root, `${folder}/${path.posix.dirname(inner)}`)
  if (!parent) throw noFolder(linkname)
  try {
    await link(`${parent.path}/${path.posix.basename(inner)}`, target)
  } finally {
    await parent.close()
  }
}

/** The owner first: a change of it clears the bits for another user's rights. */
async function finish(target: string, { uid, gid, mode, mtime }: Header): Promise<void> {
  await lchown(target, uid, gid)
  await chmod(target, mode & 0o7777)
  if (mtime) await utimes(target, mtime, mtime)
}

function noFolder(folder: string): HolmError {
  return new HolmError('HOLM_USAGE', `there is no folder ${folder} inside`, {
    hint: 'Give a path that exists in the environment.',
    details: { path: folder },
  })
}
