import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { resolve as resolvePath } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import type { Runner } from '../../process.ts'
import { catalogue } from './catalogue.ts'
import { checksumOf } from './checksum.ts'
import { assertDisk } from './disk.ts'
import { nameOfServerImage, parseServerImage } from './image-server.ts'
import { findEntry } from './entries.ts'
import {
  familiarReference,
  findCatalogueEntry,
  isDiskPath,
  isImageLike,
  isPathLike,
  nameOfPath,
  synonyms,
} from './reference.ts'
import { assertRootfsFolder } from './rootfs.ts'
import type { Base, BaseKind } from '../../spec.ts'
import type { BlueprintBase } from '../../blueprint.ts'
import type { LocalBase, LocalDisk } from './entries.ts'

type LocalDiskFile = Pick<LocalDisk, 'path' | 'format' | 'sha256'>

export type BaseRequest = string | BlueprintBase

export interface ResolveContext {
  /** Kinds the provider takes, best first (`Traits.bases`). */
  readonly accepts: readonly BaseKind[]
  /** Folder that relative paths start from. */
  readonly directory: string
}

export interface ResolveFolders {
  /** `<data>/bases` and `<cache>/bases`. */
  readonly entries: string
  readonly cache: string
  readonly home: string | undefined
  readonly runner: Runner
  /** Digest recorded at first use of a catalogue's image. */
  digestOf(reference: string): Promise<string | undefined>
}

/** The base a blueprint asks for, in a form the provider takes; a local file wins over an image. */
export async function resolveBase(
  request: BaseRequest,
  context: ResolveContext,
  folders: ResolveFolders,
): Promise<Base> {
  const text = typeof request === 'string' ? request : 'image' in request ? request.image : ''
  const image = parseServerImage(text, process.arch)
  if (image) return resolveServerImage(nameOfServerImage(image), context, folders)
  if (typeof request === 'string') return resolveName(request, context, folders)
  if ('image' in request) return resolveImage(request.image, request.digest, { context, folders })
  if ('rootfs' in request) return resolveTar(request, context, folders)
  if ('disk' in request) return resolveDisk(request, context, folders)
  if ('folder' in request) return resolveFolder(toPath(request.folder, context, folders), context)
  return resolveBuild(request, context)
}

async function resolveName(name: string, context: ResolveContext, folders: ResolveFolders): Promise<Base> {
  if (name === 'host') return accept({ kind: 'host' }, context, name)
  if (isPathLike(name)) {
    const path = toPath(name, context, folders)
    const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false
    if (isFolder) return resolveFolder(path, context)
    return isDiskPath(name)
      ? resolveDisk({ disk: path }, context, folders)
      : resolveTar({ rootfs: path }, context, folders)
  }
  const known =
    findCatalogueEntry(name) !== undefined || (await findEntry(folders.entries, synonyms(name))) !== undefined
  if (known || isImageLike(name)) return resolveImage(name, undefined, { context, folders })
  throw unknownName(name)
}

/** Its local copy; whoever may fetch has done that before. */
async function resolveServerImage(
  name: string,
  context: ResolveContext,
  folders: ResolveFolders,
): Promise<Base> {
  const entry = await findEntry(folders.entries, [name])
  const local = entry && (await localBase(entry, context, folders))
  if (local) return local
  if (!context.accepts.includes('rootfs') || entry)
    return accept({ kind: 'rootfs', name, path: '', sha256: '' }, context, name)
  throw new HolmError('HOLM_BASE_NOT_FOUND', `base ${name} is not on this machine`, {
    hint: `Fetch it: holm base import ${name} ${name}.`,
    details: { base: name },
  })
}

interface Where {
  readonly context: ResolveContext
  readonly folders: ResolveFolders
}

async function resolveImage(name: string, digest: string | undefined, where: Where): Promise<Base> {
  const { context, folders } = where
  if (digest !== undefined || name.includes('@')) {
    if (!context.accepts.includes('image')) throw noImages(name, context)
    return imageBase(name, digest)
  }
  const entry = await findEntry(folders.entries, synonyms(name))
  const local = entry && (await localBase(entry, context, folders))
  if (local) return local
  if (entry && !hasImage(entry, name)) return accept(entryForm(entry), context, name)
  if (!context.accepts.includes('image')) throw noImages(name, context)
  const reference = entry?.image ?? imageOf(name)
  return imageBase(reference, await folders.digestOf(reference))
}

function imageBase(reference: string, digest: string | undefined): Base {
  return { kind: 'image', reference, ...(digest === undefined ? {} : { digest }) }
}

/** Can the entry be had as an image too, by its own word, the catalogue's or its name? */
function hasImage(entry: LocalBase, name: string): boolean {
  return entry.image !== undefined || isImageLike(name) || findCatalogueEntry(name) !== undefined
}

/** The form an entry has, for the error that says who takes it. */
function entryForm({ name, rootfs, folder, disk }: LocalBase): Base {
  if (disk !== undefined) return { kind: 'disk', name, ...pathOf(disk) }
  if (folder !== undefined) return { kind: 'folder', name, path: folder }
  return { kind: 'rootfs', name, path: rootfs?.path ?? '', sha256: rootfs?.sha256 ?? '' }
}

function pathOf({ path, format, sha256 }: LocalDisk): LocalDiskFile {
  return { path, format, sha256 }
}

/** A catalogue name means its image; a reference means itself, tag and all. */
function imageOf(name: string): string {
  const entry = findCatalogueEntry(name)
  return entry && !isImageLike(name) ? entry.image : familiarReference(name)
}

/** The entry as file or folder, when it is one and the provider takes it. */
async function localBase(
  entry: LocalBase,
  context: ResolveContext,
  folders: ResolveFolders,
): Promise<Base | undefined> {
  if (entry.folder !== undefined && context.accepts.includes('folder')) {
    return { ...(await resolveFolder(entry.folder, context)), name: entry.name }
  }
  if (entry.disk !== undefined && context.accepts.includes('disk')) {
    const { sha256 } = await checksum(entry.disk.path, folders)
    return { kind: 'disk', name: entry.name, ...pathOf(entry.disk), sha256 }
  }
  if (entry.rootfs === undefined || !context.accepts.includes('rootfs')) return undefined
  const { sha256 } = await rootfsChecksum(entry.rootfs.path, folders)
  return { kind: 'rootfs', name: entry.name, path: entry.rootfs.path, sha256 }
}

async function rootfsChecksum(path: string, folders: ResolveFolders): Promise<{ readonly sha256: string }> {
  return checksum(path, folders, async () => {
    const { assertSafeRootfs } = await import('./safe-rootfs.ts')
    await assertSafeRootfs(path, folders.runner)
  })
}

async function checksum(
  path: string,
  folders: ResolveFolders,
  look?: () => Promise<void>,
): Promise<{ readonly sha256: string }> {
  return checksumOf(path, folders.cache, look).catch((error: NodeJS.ErrnoException) => {
    if (isHolmError(error)) throw error
    throw new HolmError('HOLM_BASE_INVALID', `base ${path} cannot be read (${error.code ?? error.message})`, {
      hint: 'Put the file back, or add the base again with holm base add.',
      cause: error,
      details: { path },
    })
  })
}

async function resolveTar(
  request: { readonly rootfs: string; readonly sha256?: string },
  context: ResolveContext,
  folders: ResolveFolders,
): Promise<Base> {
  const path = toPath(request.rootfs, context, folders)
  const sha256 = assertSum(path, request.sha256, await rootfsChecksum(path, folders))
  return accept({ kind: 'rootfs', name: nameOfPath(path), path, sha256 }, context, path)
}

function assertSum(
  path: string,
  expected: string | undefined,
  { sha256 }: { readonly sha256: string },
): string {
  if (expected === undefined || expected.toLowerCase() === sha256) return sha256
  throw new HolmError('HOLM_BASE_INVALID', `${path} has checksum ${sha256}, the blueprint says ${expected}`, {
    hint: 'Get the file again, or correct base.sha256 in the blueprint.',
    details: { path, sha256, expected },
  })
}

async function resolveDisk(
  request: { readonly disk: string; readonly sha256?: string },
  context: ResolveContext,
  folders: ResolveFolders,
): Promise<Base> {
  const path = toPath(request.disk, context, folders)
  const sha256 = assertSum(path, request.sha256, await checksum(path, folders))
  const format = await assertDisk(path)
  return accept({ kind: 'disk', name: nameOfPath(path), path, format, sha256 }, context, path)
}

async function resolveFolder(
  path: string,
  context: ResolveContext,
): Promise<Extract<Base, { kind: 'folder' }>> {
  await assertRootfsFolder(path)
  return accept({ kind: 'folder', name: nameOfPath(path), path }, context, path)
}

function resolveBuild(
  request: Extract<BlueprintBase, { dockerfile: string }>,
  context: ResolveContext,
): Base {
  const build = {
    kind: 'build',
    context: resolvePath(context.directory, request.context ?? '.'),
    dockerfile: resolvePath(context.directory, request.dockerfile),
    args: request.args ?? {},
    ...(request.target === undefined ? {} : { target: request.target }),
  } as const
  return accept(build, context, build.dockerfile)
}

function toPath(path: string, { directory }: ResolveContext, { home = homedir() }: ResolveFolders): string {
  return path.startsWith('~/') ? resolvePath(home, path.slice(2)) : resolvePath(directory, path)
}

const kindNames: Readonly<Record<BaseKind, string>> = {
  host: "this machine's own files",
  image: 'images',
  rootfs: 'root filesystem tarballs',
  folder: 'root filesystem folders',
  disk: 'disk images',
  build: 'Dockerfiles',
}

function accept<B extends Base>(base: B, { accepts }: ResolveContext, what: string): B {
  if (accepts.includes(base.kind)) return base
  const taken = accepts.map((kind) => kindNames[kind]).join(', ')
  throw new HolmError(
    'HOLM_BASE_NOT_FOUND',
    `base ${what} comes as ${kindNames[base.kind]}, and the provider takes only ${taken}`,
    {
      hint: 'Choose another provider with --provider, or another base with --base.',
      details: { base: what, accepts },
    },
  )
}

function noImages(name: string, { accepts }: ResolveContext): HolmError {
  const entry = findCatalogueEntry(name)
  const local = entry?.name ?? familiarReference(name)
  const ways = [
    ...(entry?.recipe ? [`holm base build ${local}`] : []),
    ...(entry?.rootfs ? [`holm base import ${local} ${local}`] : []),
    ...(entry?.disk && accepts.includes('disk') ? [`holm base import ${local} ${local} --disk`] : []),
    `holm base add ${local} <rootfs.tar>`,
    ...(accepts.includes('host') ? ['--base host'] : []),
  ]
  return new HolmError(
    'HOLM_BASE_NOT_FOUND',
    `base ${name} is only known as an image, which the provider cannot take`,
    {
      hint: `Make it available as files with one of: ${ways.join(', ')}.`,
      details: { base: name, accepts },
    },
  )
}

function unknownName(name: string): HolmError {
  const names = catalogue.map((entry) => entry.name).join(', ')
  return new HolmError('HOLM_BASE_NOT_FOUND', `no base is named "${name}"`, {
    hint: `Use one of ${names}, one you added (holm base list), an image with its tag (${name}:latest), a path, or host.`,
    details: { base: name },
  })
}
