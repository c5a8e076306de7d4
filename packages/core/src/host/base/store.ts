import { rm, stat } from 'node:fs/promises'
import { join, resolve as resolvePath } from 'node:path'
import { HolmError } from '../../errors.ts'
import { catalogue } from './catalogue.ts'
import { checksumOf } from './checksum.ts'
import { loadEntries, loadEntry, readJson, removeEntry, saveEntry, writeJson } from './entries.ts'
import { assertDisk } from './disk.ts'
import { nameOfServerImage, parseServerImage } from './image-server.ts'
import { assertBaseName, findCatalogueEntry, isDiskPath, isImageLike } from './reference.ts'
import { resolveBase } from './resolve.ts'
import { assertRootfsFolder, assertRootfsTar } from './rootfs.ts'
import { configTable } from '../config/schema.ts'
import { isReallyBelow } from '../inside-folder.ts'
import type { Base } from '../../spec.ts'
import type { BaseEntry } from '../../host-api.ts'
import type { ProgressUpdate } from '../../provider.ts'
import type { Runner } from '../../process.ts'
import type { CatalogueEntry } from './catalogue.ts'
import type { LocalBase } from './entries.ts'
import type { BaseRequest, ResolveContext } from './resolve.ts'

export interface BaseStoreOptions {
  readonly paths: { readonly data: string; readonly cache: string }
  readonly runner: Runner
  readonly env: Readonly<Record<string, string | undefined>>
  readonly fetch?: typeof globalThis.fetch
  /** Package mirror for `build`, from the configuration. */
  readonly mirror?: string
  /** Where `download:` images come from, from the configuration. */
  readonly imageServer?: string
}

export interface BaseCallOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (update: ProgressUpdate) => void
}

export interface BaseStore {
  list(): Promise<readonly BaseEntry[]>
  /** Registers a tarball, a folder, a disk or an image; nothing is copied. A relative path starts at the current folder. */
  add(name: string, source: string, options?: { readonly disk?: boolean }): Promise<BaseEntry>
  /** Copies a tarball or disk, downloads a URL, or takes what the distribution publishes for a catalogue name. */
  import(
    name: string,
    source: string,
    options?: BaseCallOptions & { readonly sha256?: string; readonly disk?: boolean },
  ): Promise<BaseEntry>
  build(
    name: string,
    options?: BaseCallOptions & {
      readonly include?: readonly string[]
      readonly mirror?: string
      readonly as?: string
    },
  ): Promise<BaseEntry>
  /** Forgets a local base or the recorded digest of the catalogue's one; removes its file only from our own cache. */
  remove(name: string): Promise<BaseEntry>
  /** The image of a server that the request names and that is not here yet: importing it under its name makes `resolve` find it. */
  missing(request: BaseRequest): Promise<string | undefined>
  resolve(request: BaseRequest, context: ResolveContext): Promise<Base>
  /** Pins a catalogue's image to what was fetched at first use; `resolve` names the digest from then on. */
  recordDigest(reference: string, digest: string): Promise<void>
}

interface Folders {
  readonly entries: string
  readonly cache: string
}

/** The bases of this machine and the catalogue behind them. Local ones win. */
export function createBaseStore(options: BaseStoreOptions): BaseStore {
  const folders: Folders = {
    entries: join(options.paths.data, 'bases'),
    cache: join(options.paths.cache, 'bases'),
  }
  const digestFile = join(folders.entries, '.digests.json')
  const digests = async (): Promise<Record<string, string>> =>
    (await readJson<Record<string, string>>(digestFile)) ?? {}
  const register = (name: string, path: string): Promise<BaseEntry> => registerFile(name, path, folders)
  return {
    list: async () => listBases(await loadEntries(folders.entries), await digests()),
    add: (name, source, { disk } = {}) => addBase(name, source, { folders, runner: options.runner, disk }),
    async import(name, source, importOptions = {}) {
      assertBaseName(name)
      const { importBase } = await import('./import.ts')
      const { fetch = globalThis.fetch, runner } = options
      const { imageServer = configTable['base.imageServer'].default } = options
      const settings = { ...importOptions, cache: folders.cache, fetch, runner, imageServer }
      const path = await importBase(name, source, settings)
      return isDiskPath(path) ? registerDisk(name, path, folders) : register(name, path)
    },
    async build(name, buildOptions = {}) {
      const target = buildOptions.as ?? name
      assertBaseName(target)
      const { buildBase } = await import('./build.ts')
      const mirror = buildOptions.mirror ?? options.mirror
      const { cache } = folders
      const settings = {
        ...buildOptions,
        cache,
        runner: options.runner,
        ...(mirror === undefined ? {} : { mirror }),
      }
      return register(target, await buildBase(name, target, settings))
    },
    missing: async (request) => {
      const text = typeof request === 'string' ? request : 'image' in request ? request.image : ''
      const image = parseServerImage(text, process.arch)
      const name = image && nameOfServerImage(image)
      return name !== undefined && (await loadEntry(folders.entries, name)) === undefined ? name : undefined
    },
    remove: (name) => removeBase(name, folders, { digests, digestFile }),
    resolve: (request, context) =>
      resolveBase(request, context, {
        ...folders,
        runner: options.runner,
        home: options.env['HOME'],
        digestOf: async (reference) => (await digests())[reference],
      }),
    async recordDigest(reference, digest) {
      if (!catalogue.some((entry) => entry.image === reference)) return
      await writeJson(digestFile, { ...(await digests()), [reference]: digest })
    },
  }
}

async function addBase(
  name: string,
  source: string,
  {
    folders,
    runner,
    disk = isDiskPath(source),
  }: { readonly folders: Folders; readonly runner: Runner; readonly disk?: boolean | undefined },
): Promise<BaseEntry> {
  assertBaseName(name)
  const path = resolvePath(source)
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) {
    await assertRootfsFolder(path)
    return save({ folder: path }, name, folders)
  }
  if (found) {
    if (disk) return registerDisk(name, path, folders)
    await assertRootfsTar(path, runner)
    return registerFile(name, path, folders)
  }
  if (parseServerImage(source, process.arch))
    throw new HolmError('HOLM_BASE_INVALID', `${source} is on a server, not on this machine`, {
      hint: `Fetch it: holm base import ${name} ${source}.`,
      details: { source },
    })
  if (isImageLike(source)) return save({ image: source }, name, folders)
  throw new HolmError('HOLM_BASE_INVALID', `${source} is no file, no folder and no image reference`, {
    hint: 'Give the path of a root filesystem (tarball or folder) or disk, or an image with its tag.',
    details: { source },
  })
}

async function registerFile(name: string, path: string, folders: Folders): Promise<BaseEntry> {
  return save({ rootfs: { path, ...(await checksumOf(path, folders.cache)) } }, name, folders)
}

async function registerDisk(name: string, path: string, folders: Folders): Promise<BaseEntry> {
  const format = await assertDisk(path)
  return save({ disk: { path, format, ...(await checksumOf(path, folders.cache)) } }, name, folders)
}

async function save(
  form: Pick<LocalBase, 'image' | 'rootfs' | 'folder' | 'disk'>,
  name: string,
  folders: Folders,
): Promise<BaseEntry> {
  const entry: LocalBase = { version: 1, name, ...form, addedAt: new Date().toISOString() }
  await saveEntry(folders.entries, entry)
  return viewLocal(entry)
}

/** Local entries over catalogue ones, each name once. Pure. */
export function listBases(
  local: readonly LocalBase[],
  digests: Readonly<Record<string, string>>,
): readonly BaseEntry[] {
  const taken = new Set(local.map((entry) => entry.name))
  const others = catalogue.filter((entry) => !taken.has(entry.name))
  return [...local.map(viewLocal), ...others.map((entry) => viewCatalogue(entry, digests[entry.image]))]
}

function viewLocal(entry: LocalBase): BaseEntry {
  const known = findCatalogueEntry(entry.name)
  const { image = known?.image, rootfs, folder, disk } = entry
  return {
    name: entry.name,
    description: known?.description ?? 'added on this machine',
    aliases: known?.name === entry.name ? known.aliases : [],
    ...(image === undefined ? {} : { image }),
    ...(rootfs === undefined ? {} : { rootfs }),
    ...(folder === undefined ? {} : { folder }),
    ...(disk === undefined ? {} : { disk }),
    origin: 'local',
  }
}

function viewCatalogue(entry: CatalogueEntry, digest: string | undefined): BaseEntry {
  const { name, description, aliases, image, recipe } = entry
  return {
    name,
    description,
    aliases,
    image,
    ...(digest === undefined ? {} : { digest }),
    ...(recipe === undefined ? {} : { recipe: `${recipe.distribution} ${recipe.suite}` }),
    origin: 'catalogue',
  }
}

interface Digests {
  readonly digests: () => Promise<Record<string, string>>
  readonly digestFile: string
}

async function removeBase(
  name: string,
  folders: Folders,
  { digests, digestFile }: Digests,
): Promise<BaseEntry> {
  const entry = await loadEntry(folders.entries, name)
  if (entry) {
    await removeEntry(folders.entries, name)
    const file = entry.rootfs?.path ?? entry.disk?.path
    if (file !== undefined && isReallyBelow(folders.cache, file)) await rm(file, { force: true })
    return viewLocal(entry)
  }
  const known = findCatalogueEntry(name)
  const { [known?.image ?? '']: digest, ...others } = await digests()
  if (known && digest !== undefined) {
    await writeJson(digestFile, others)
    return viewCatalogue(known, digest)
  }
  const why = known ? 'comes with holm and cannot be removed' : 'is not on this machine'
  throw new HolmError('HOLM_BASE_NOT_FOUND', `base ${name} ${why}`, {
    hint: 'See holm base list for the local ones.',
  })
}
