import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { HolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import { diskFull, isMissing } from './files-on-disk.ts'
import { asInnerRoot } from './id-map.ts'
import { withLock } from './lock.ts'
import { makerLives, makerTag } from './maker.ts'
import { removeTree, type TreeOptions, xattrWords } from './trees.ts'

type RootBase = Extract<Base, { kind: 'rootfs' | 'folder' }>

export interface StoreOptions extends TreeOptions {
  /** Folder for unpacked bases. */
  readonly cache: string
}

/** The read-only folder with the base's files. A tarball is unpacked once for all environments of this user. */
export async function prepareBase(
  base: RootBase,
  options: StoreOptions,
  ctx: ProviderContext,
): Promise<string> {
  const folder = base.kind === 'folder' ? base.path : await unpackOnce(base, options, ctx)
  if (['bin/sh', 'bin', 'usr/bin'].some((name) => existsSync(path.join(folder, name)))) return folder
  throw new HolmError(
    'HOLM_BASE_INVALID',
    `base ${base.name} is no root filesystem: ${base.path} holds no programs`,
    {
      hint: 'Name a folder or tarball with bin/sh in it.',
    },
  )
}

async function unpackOnce(
  base: Extract<Base, { kind: 'rootfs' }>,
  options: StoreOptions,
  ctx: ProviderContext,
): Promise<string> {
  if (!/^[0-9a-f]{64}$/.test(base.sha256))
    throw new HolmError('HOLM_BASE_INVALID', `"${base.sha256}" is no SHA-256 sum`)
  // Owners on disk depend on the id range: one that was changed gets a copy of its own.
  const { idMap } = options
  const range = idMap === undefined ? '' : `-${idMap.uids.start}-${idMap.gids.start}`
  const target = path.join(options.cache, 'rootfs', `${base.sha256}${range}`)
  if (existsSync(target)) return target
  const lock = { file: `${target}.lock`, what: `base ${base.name}`, waitMs: 600_000, signal: ctx.signal }
  await withLock(lock, async () => {
    if (existsSync(target)) return
    ctx.progress({ message: `unpacking ${base.name}` })
    await assertSum(base, ctx.signal)
    await unpack(base, { ...options, target }, ctx)
  })
  return target
}

async function assertSum(base: Extract<Base, { kind: 'rootfs' }>, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(base.path), hash, { signal }).catch((error: unknown) => {
    if (!isMissing(error)) throw error
    throw new HolmError('HOLM_IMAGE_MISSING', `the tarball of base ${base.name} is not there: ${base.path}`, {
      cause: error,
    })
  })
  const found = hash.digest('hex')
  if (found === base.sha256) return
  throw new HolmError('HOLM_BASE_INVALID', `${base.path} has SHA-256 ${found}, not ${base.sha256}`, {
    hint: 'Fetch the base again, or correct its sum.',
  })
}

/** Into a draft beside the target, which then gets its name in one step. */
async function unpack(
  base: RootBase,
  options: StoreOptions & { target: string },
  ctx: ProviderContext,
): Promise<void> {
  const { target, env, idMap } = options
  const parent = path.dirname(target)
  await removeDrafts(parent, options, ctx)
  const draft = path.join(parent, `.draft-${makerTag()}-${path.basename(target)}`)
  await mkdir(draft, { mode: 0o755 })
  try {
    const words = ['tar', '--extract', '--file', base.path, '--directory', draft, '--numeric-owner']
    // Devices are made anew for each container.
    const more = [
      ...xattrWords,
      '--preserve-permissions',
      '--delay-directory-restore',
      '--exclude=./dev/*',
      '--exclude=dev/*',
    ]
    const result = await ctx.runner.run([...asInnerRoot(idMap), ...words, ...more], {
      env,
      signal: ctx.signal,
    })
    if (result.code !== 0 || /Removing leading/.test(result.stderr))
      throw badTarball(base.path, result.stderr)
    await rename(draft, target)
  } finally {
    await removeTree(draft, options, ctx)
  }
}

/** What killed processes left half unpacked. */
async function removeDrafts(parent: string, options: StoreOptions, ctx: ProviderContext): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith('.draft-') || makerLives(name)) continue
    await removeTree(path.join(parent, name), options, ctx)
  }
}

function badTarball(file: string, text: string): HolmError {
  const last = text.trim().split('\n').slice(-3).join('; ')
  if (/No space left|Disk quota/i.test(text)) return diskFull(`${file} cannot be unpacked: ${last}`)
  return new HolmError('HOLM_BASE_INVALID', `${file} cannot be unpacked: ${last}`, {
    hint: 'Use a tarball with relative paths, plain or packed with gzip, xz or zstd, and have the unpacker installed.',
  })
}
