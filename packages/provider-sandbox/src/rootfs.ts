import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, readdir, rename, symlink } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { HolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import { isMissing, removeTree } from './folders.ts'
import { identifySelf } from './lock.ts'
import { identify } from './processes.ts'
import type { Layer } from './record.ts'

type RootBase = Extract<Base, { kind: 'rootfs' | 'folder' }>

export interface LowerOptions {
  readonly cache: string
  /** Only root may give programs rights of their own. */
  readonly rootless: boolean
}

/** The read-only folder with the base's files. A tarball is unpacked once and shared by all environments of this user. */
export async function prepareLower(
  base: RootBase,
  options: LowerOptions,
  ctx: ProviderContext,
): Promise<string> {
  const lower = base.kind === 'folder' ? base.path : await unpackOnce(base, options, ctx)
  if (
    existsSync(path.join(lower, 'bin/sh')) ||
    existsSync(path.join(lower, 'usr/bin')) ||
    existsSync(path.join(lower, 'bin'))
  )
    return lower
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
  { cache, rootless }: LowerOptions,
  ctx: ProviderContext,
): Promise<string> {
  if (!/^[0-9a-f]{64}$/.test(base.sha256))
    throw new HolmError('HOLM_BASE_INVALID', `"${base.sha256}" is no SHA-256 sum`)
  const folder = path.join(cache, 'rootfs')
  const target = path.join(folder, base.sha256)
  if (existsSync(target)) return target
  ctx.progress({ message: `unpacking ${base.name}` })
  await assertSum(base, ctx.signal)
  await mkdir(folder, { recursive: true })
  await removeDeadDrafts(folder)
  const draft = path.join(folder, draftName())
  await mkdir(draft, { mode: 0o755 })
  try {
    await unpack(base, { draft, rootless }, ctx)
    await rename(draft, target).catch((error: unknown) => {
      // Another holm was faster: its copy is the same.
      if (!existsSync(target)) throw error
    })
  } finally {
    await removeTree(draft)
  }
  return target
}

/** The name says who unpacks, so that what a killed process left is told from what another one is filling. */
function draftName(): string {
  const { pid, start, bootId } = identifySelf()
  return [`.draft`, pid, start, bootId.replaceAll('-', ''), randomBytes(6).toString('hex')].join('-')
}

async function removeDeadDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('.draft-')) continue
    const [, pid, start, boot] = name.split('-')
    const maker = identify(Number(pid))
    const lives = maker && maker.start === start && maker.bootId.replaceAll('-', '') === boot
    // What cannot be removed now is no reason to go without a base: the next unpacking tries again.
    if (!lives) await removeTree(path.join(folder, name)).catch(() => undefined)
  }
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

/** Devices are left out: the sandbox makes its own. tar refuses `..` itself; absolute names are refused here. */
async function unpack(
  base: RootBase,
  { draft, rootless }: { readonly draft: string; readonly rootless: boolean },
  ctx: ProviderContext,
): Promise<void> {
  const result = await ctx.runner.run(
    [
      // A killed holm takes it along: else it would go on filling a draft that nobody waits for.
      'setpriv',
      '--pdeathsig',
      'KILL',
      'tar',
      '--extract',
      '--file',
      base.path,
      '--directory',
      draft,
      '--numeric-owner',
      '--xattrs',
      '--xattrs-include=user.*',
      ...(rootless ? [] : ['--xattrs-include=security.capability']),
      '--preserve-permissions',
      '--delay-directory-restore',
      '--exclude=./dev/*',
      '--exclude=dev/*',
    ],
    { signal: ctx.signal },
  )
  if (result.code === 0 && !/Removing leading/.test(result.stderr)) return
  const said = result.stderr.trim().split('\n')
  if (said.some(isDiskFull)) throw diskFull(`${base.path} cannot be unpacked into ${draft}`, said)
  throw new HolmError('HOLM_BASE_INVALID', `${base.path} cannot be unpacked: ${said.slice(-3).join('; ')}`, {
    hint: 'Use a tarball with relative paths, plain or packed with gzip, xz or zstd, and have the unpacker installed.',
  })
}

export interface LayerOptions {
  readonly folder: string
  readonly lower: string
  readonly rootless: boolean
  readonly env: Readonly<Record<string, string>>
}

/** Makes the writable layer of one environment above `lower`. */
export async function createLayer(
  { folder, lower, rootless, env }: LayerOptions,
  ctx: ProviderContext,
): Promise<Layer> {
  for (const name of ['upper', 'work', 'root'])
    await mkdir(path.join(folder, name), { recursive: true, mode: 0o755 })
  await symlink(lower, path.join(folder, 'lower'))
  const options = `lowerdir=lower,upperdir=upper,workdir=work${rootless ? ',userxattr' : ''}`
  const outer = rootless ? ['unshare', '--user', '--map-root-user', '--mount'] : ['unshare', '--mount']
  const trial = await ctx.runner.run([...outer, 'mount', '-t', 'overlay', '-o', options, 'overlay', 'root'], {
    cwd: folder,
    env,
    signal: ctx.signal,
  })
  if (trial.code === 0) return 'overlay'
  ctx.log.info(`overlay is not possible here (${trial.stderr.trim()}): copying the base`)
  await removeTree(path.join(folder, 'upper'))
  await copyTree(`${lower}/.`, path.join(folder, 'root'), ctx)
  return 'copy'
}

/** Copies with all attributes, sharing blocks where the file system can. */
export async function copyTree(source: string, target: string, ctx: ProviderContext): Promise<void> {
  const result = await ctx.runner.run(
    ['cp', '--archive', '--reflink=auto', '--no-target-directory', '--', source, target],
    { signal: ctx.signal },
  )
  if (result.code === 0) return
  const said = result.stderr.trim().split('\n')
  if (said.some(isDiskFull)) throw diskFull(`cannot copy ${source} to ${target}`, said)
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `cannot copy ${source}: ${said.at(-1) ?? ''}`)
}

/** Lines of tar and cp: a file that ends early is said in words of tar's own. */
export function isDiskFull(line: string): boolean {
  return /No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/i.test(line)
}

function diskFull(what: string, said: readonly string[]): HolmError {
  return new HolmError('HOLM_DISK_FULL', `${what}: ${said.find(isDiskFull) ?? ''}`, {
    hint: 'Free some space on that disk, then try again.',
  })
}
