import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, readdir, rename, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { HolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import { isMissing, openFolders, removeTree } from './files-on-disk.ts'
import { withLock } from './lock.ts'
import { ownerCommands, parseTarList } from './tar-list.ts'

type RootBase = Extract<Base, { kind: 'rootfs' | 'folder' }>

const gibibyte = 1024 ** 3
/** A file system of this size takes only the room of what is in it. */
export const defaultDiskBytes = 16 * gibibyte
export const blockBytes = 4096

export interface ImageOptions {
  /** Folder of the finished images. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly uid: number
  /** Limit of the disk; smaller than the usual size means an image of its own. */
  readonly diskBytes?: number
}

/** A raw ext4 image with the base's files, built once for a checksum and shared, never written to. */
export async function prepareImage(
  base: RootBase,
  options: ImageOptions,
  ctx: ProviderContext,
): Promise<string> {
  const size = Math.min(options.diskBytes ?? defaultDiskBytes, defaultDiskBytes)
  const target = path.join(options.folder, `${await keyOf(base)}-${size}.raw`)
  if (existsSync(target)) return target
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  ctx.progress({ message: `building a disk from ${base.name}` })
  if (base.kind === 'rootfs') await assertSum(base, ctx.signal)
  return withLock(options.folder, { name: `base ${base.name}`, waitMs: 600_000 }, async () => {
    if (existsSync(target)) return target
    await sweepDrafts(options.folder)
    const draft = path.join(options.folder, `.draft-${randomBytes(6).toString('hex')}`)
    await mkdir(draft, { mode: 0o700 })
    try {
      const image = path.join(draft, 'image')
      await build(base, { ...options, draft, image, size }, ctx)
      await rename(image, target)
    } finally {
      await removeTree(draft)
    }
    return target
  })
}

type FileBase = Extract<Base, { kind: 'rootfs' | 'disk' }>

/** What killed processes left. Call it with the folder's lock held: then nobody else works on a draft. */
async function sweepDrafts(folder: string): Promise<void> {
  const names = await readdir(folder)
  for (const name of names.filter((each) => each.startsWith('.draft-')))
    await removeTree(path.join(folder, name))
}

async function keyOf(base: RootBase | FileBase): Promise<string> {
  if (base.kind !== 'folder') {
    if (/^[0-9a-f]{64}$/.test(base.sha256)) return base.sha256
    throw new HolmError('HOLM_BASE_INVALID', `"${base.sha256}" is no SHA-256 sum`)
  }
  const found = await stat(base.path).catch((error: unknown) => {
    throw isMissing(error) ? noBase(base, error) : error
  })
  return createHash('sha256').update(`${base.path}\0${found.ino}\0${found.mtimeMs}`).digest('hex')
}

function noBase(base: RootBase | FileBase, cause: unknown): HolmError {
  return new HolmError('HOLM_IMAGE_MISSING', `base ${base.name} is not there: ${base.path}`, { cause })
}

async function assertSum(base: FileBase, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(base.path), hash, { signal }).catch((error: unknown) => {
    throw isMissing(error) ? noBase(base, error) : signal.aborted ? interrupted(error) : error
  })
  const found = hash.digest('hex')
  if (found === base.sha256) return
  throw new HolmError('HOLM_BASE_INVALID', `${base.path} has SHA-256 ${found}, not ${base.sha256}`, {
    hint: 'Fetch the base again, or correct its sum.',
  })
}

function interrupted(cause: unknown): HolmError {
  return new HolmError('HOLM_INTERRUPTED', 'interrupted', { cause })
}

/** A copy of a disk of the user, made once for a checksum: theirs may change or go. Shares its blocks where the file system can. */
export async function prepareDisk(
  base: Extract<Base, { kind: 'disk' }>,
  options: Pick<ImageOptions, 'folder' | 'env'>,
  ctx: ProviderContext,
): Promise<string> {
  const target = path.join(options.folder, `${await keyOf(base)}.${base.format}`)
  if (existsSync(target)) return target
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  ctx.progress({ message: `copying ${base.name}` })
  await assertSum(base, ctx.signal)
  return withLock(options.folder, { name: `base ${base.name}`, waitMs: 600_000 }, async () => {
    if (existsSync(target)) return target
    await sweepDrafts(options.folder)
    const draft = path.join(options.folder, `.draft-${randomBytes(6).toString('hex')}`)
    try {
      await tool(['cp', '--reflink=auto', '--sparse=always', '--', base.path, draft], options, ctx)
      await rename(draft, target)
    } finally {
      await removeTree(draft)
    }
    return target
  })
}

interface Build extends ImageOptions {
  readonly draft: string
  readonly image: string
  readonly size: number
}

async function build(base: RootBase, options: Build, ctx: ProviderContext): Promise<void> {
  const tree = base.kind === 'folder' ? base.path : await unpack(base, options, ctx)
  if (!['bin/sh', 'usr/bin', 'bin'].some((name) => existsSync(path.join(tree, name))))
    throw new HolmError(
      'HOLM_BASE_INVALID',
      `base ${base.name} is no root filesystem: ${base.path} holds no programs`,
      {
        hint: 'Name a folder or tarball with bin/sh in it.',
      },
    )
  await writeFile(options.image, '')
  await truncate(options.image, options.size)
  await tool(
    [
      'mke2fs',
      '-q',
      '-F',
      '-t',
      'ext4',
      '-b',
      String(blockBytes),
      '-d',
      tree,
      '-E',
      'lazy_itable_init=0,lazy_journal_init=1,root_owner=0:0',
      '-O',
      '^metadata_csum_seed',
      '-m',
      '0',
      '-L',
      'holm',
      options.image,
    ],
    options,
    ctx,
  )
  if (base.kind === 'rootfs' && options.uid !== 0) await setOwners(base, options, ctx)
}

/** Devices are left out: the kernel inside makes its own. */
async function unpack(base: RootBase, options: Build, ctx: ProviderContext): Promise<string> {
  const tree = path.join(options.draft, 'tree')
  await mkdir(tree, { mode: 0o755 })
  const rights =
    options.uid === 0
      ? ['--same-owner', '--preserve-permissions', '--xattrs', '--xattrs-include=*']
      : ['--no-same-owner']
  const result = await ctx.runner.run(
    [
      'tar',
      '--extract',
      '--file',
      base.path,
      '--directory',
      tree,
      '--numeric-owner',
      ...rights,
      '--delay-directory-restore',
      '--exclude=./dev/*',
      '--exclude=dev/*',
    ],
    { signal: ctx.signal, env: options.env },
  )
  if (result.code !== 0 || /Removing leading/.test(result.stderr)) throw unpackError(base, result.stderr)
  if (options.uid !== 0) await openFolders(tree)
  return tree
}

function unpackError(base: RootBase, stderr: string): HolmError {
  const text = stderr.trim().split('\n').slice(-3).join('; ')
  if (/No space left/.test(text))
    return new HolmError('HOLM_DISK_FULL', `no space left while unpacking ${base.path}`, {
      hint: 'Free space, or set HOLM_HOME to a folder on another disk.',
    })
  return new HolmError('HOLM_BASE_INVALID', `${base.path} cannot be unpacked: ${text}`, {
    hint: 'Use a tarball with relative paths, plain or packed with gzip, xz or zstd, and have the unpacker installed.',
  })
}

/** An ordinary user unpacks everything as their own: owners and modes of the archive are written into the image afterwards. */
async function setOwners(base: RootBase, options: Build, ctx: ProviderContext): Promise<void> {
  const { stdout } = await tool(
    [
      'tar',
      '--list',
      '--verbose',
      '--verbose',
      '--numeric-owner',
      '--quoting-style=escape',
      '--file',
      base.path,
    ],
    options,
    ctx,
  )
  const script = path.join(options.draft, 'owners')
  await writeFile(script, ownerCommands(parseTarList(stdout)))
  await tool(['debugfs', '-w', '-f', script, options.image], options, ctx)
}

export async function tool(
  argv: readonly string[],
  { env }: Pick<ImageOptions, 'env'>,
  { runner, signal }: Pick<ProviderContext, 'runner' | 'signal'>,
): Promise<{ readonly stdout: string }> {
  const result = await runner.run(argv, { env, signal })
  if (result.code === 0) return result
  const text = (result.stderr || result.stdout).trim().split('\n').slice(-3).join('; ')
  const full = /No space left|Could not allocate block/.test(text)
  throw new HolmError(full ? 'HOLM_DISK_FULL' : 'HOLM_ENVIRONMENT_FAILED', `${argv[0]} failed: ${text}`, {
    hint: full ? 'Free space, or give the environment a larger disk.' : 'Run `holm doctor`.',
  })
}
