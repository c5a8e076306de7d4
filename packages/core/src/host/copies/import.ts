import { createReadStream } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, join, posix, resolve } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import { requireFacet } from '../../facets.ts'
import type { ArchiveManifest, ArchivePart, ImportOptions, ImportResult } from '../../copies-api.ts'
import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec, Mount } from '../../spec.ts'
import { assertEnvironmentName, slugify } from '../blueprint/environment-name.ts'
import type { HostContext } from '../context.ts'
import { assignPorts } from '../environment/assign-ports.ts'
import { portsTaken } from '../ports/leases.ts'
import { labelsOf } from '../environment/labels.ts'
import { misfits, needsOf, selectProvider } from '../environment/select-provider.ts'
import { hashSpec } from '../blueprint/index.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { damaged, readParts } from './archive.ts'
import { wakeClone } from './clone.ts'
import { decompress } from '../tar/compression.ts'
import { TarDamage } from '../tar/entries.ts'
import { unpackMount } from './files.ts'
import { parseManifest, safeSpec } from './manifest.ts'
import { forgetCopies } from './snapshots.ts'
import { safeTar } from './safe-tar.ts'
import { openSpool, writePart } from './spool.ts'

/** Reads the whole archive and checks every sum before anything is made of it. */
export async function importEnvironment(
  host: HostContext,
  archive: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<ImportResult> {
  const { folder, close } = await openSpool(host)
  try {
    const reading = host.operation(options.name ?? '', options)
    const manifest = await reading.step('read', () => readArchive(archive, folder, reading.signal))
    const name = options.name ?? slugify(manifest.name)
    assertEnvironmentName(name)
    const operation = host.operation(name, options)
    const { spec, dropped } = safeSpec(manifest.spec)
    for (const each of dropped) operation.warn(`not taken over: ${each}`)
    const environment = await host.state.locks.hold(name, 'import', () =>
      make({ host, operation, manifest, spec: { ...spec, name, hostname: name }, folder, options }),
    )
    return { environment, manifest, warnings: operation.warnings }
  } finally {
    await close()
  }
}

async function readArchive(
  archive: AsyncIterable<Uint8Array>,
  folder: string,
  signal: AbortSignal,
): Promise<ArchiveManifest> {
  let manifest: ArchiveManifest | undefined
  const missing = new Map<string, ArchivePart>()
  for await (const { path, sizeBytes, data } of readParts(unpacked(archive))) {
    if (manifest === undefined) {
      if (path !== 'manifest.json' || sizeBytes > 16 * 1024 * 1024)
        throw damaged('it does not begin with a manifest')
      manifest = parseManifest(await readText(data))
      for (const part of manifest.parts) missing.set(part.path, part)
      continue
    }
    const part = missing.get(path)
    if (part === undefined) throw damaged(`it holds ${path}, which its manifest does not name`)
    const written = await writePart(safeTar(path, data), join(folder, part.path), signal)
    if (written.sizeBytes !== part.sizeBytes || written.sha256 !== part.sha256)
      throw damaged(`${path} is not what its manifest says: its SHA-256 differs`)
    missing.delete(path)
  }
  if (manifest === undefined) throw damaged('it is empty')
  const [first] = missing.keys()
  if (first !== undefined) throw damaged(`${first} is missing in it`)
  return manifest
}

async function* unpacked(archive: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* decompress(archive)
  } catch (error) {
    throw error instanceof TarDamage ? damaged(error.message) : error
  }
}

async function readText(data: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of data) pieces.push(piece)
  return Buffer.concat(pieces).toString('utf8')
}

interface Making {
  readonly host: HostContext
  readonly operation: Operation
  readonly manifest: ArchiveManifest
  readonly spec: EnvironmentSpec
  /** Of the parts. */
  readonly folder: string
  readonly options: ImportOptions
}

async function make(work: Making): Promise<ImportResult['environment']> {
  const { host, operation, spec: given } = work
  const { name } = given
  const taken = host.state.records.get(name)
  if (taken?.phase === 'ready') {
    throw new HolmError('HOLM_ENVIRONMENT_CONFLICT', `there is an environment ${name} already`, {
      hint: `Choose another name, or remove it with: holm destroy ${name}`,
      details: { name },
    })
  }
  const provider = await chooseProvider(work)
  const owned = join(host.paths.data, 'imports', host.namespace, name)
  const filesFolder = resolve(work.options.cwd ?? host.cwd, work.options.filesFolder ?? name)
  const placed = placeFiles(work, filesFolder)
  if (placed.length > 0) await assertEmpty(filesFolder)
  const spec = await complete(work, provider, { owned, placed })
  const record = recordOf(host, { spec, provider: provider.id, owned })
  host.state.records.put(record)
  try {
    if (taken) await provider.remove(name, { volumes: false }, operation.context)
    await placeParts(work, { owned, placed })
    await operation.step('create', () => provider.create(spec, operation.context))
    const found = { record, provider, operation }
    const info = await wakeClone(host, found, { spec, onStarted: () => putVolumes(work, provider) })
    host.state.records.put({ ...record, phase: 'ready' })
    return info
  } catch (error) {
    await leaveNothing(work, { provider, owned, placed: placed.length > 0 ? filesFolder : undefined }, error)
    throw error
  }
}

async function chooseProvider({ host, operation, spec, options }: Making): Promise<Provider> {
  const fits = (provider: Pick<Provider, 'traits'>): string[] => [
    ...misfits(needsOf(spec), provider.traits),
    ...(provider.traits.bases.includes('rootfs') ? [] : ['takes no root filesystem as a base']),
  ]
  const wanted = options.provider ?? host.config.values.provider
  if (wanted !== undefined) {
    const provider = await host.provider(wanted)
    const [reason] = fits(provider)
    if (reason === undefined) return provider
    throw new HolmError('HOLM_PROVIDER_NONE', `provider ${wanted} cannot run this archive: it ${reason}`, {
      hint: 'Choose another --provider.',
    })
  }
  await host.registry.loadForHooks([])
  const ids = host.registry.ids('provider')
  const candidates = await Promise.all(
    ids.map(async (id) => {
      const traits = host.registry.manifestOf('provider', id)?.traits ?? (await host.provider(id)).traits
      return { id, traits, reasons: () => Promise.resolve(fits({ traits })) }
    }),
  )
  const probe: Parameters<typeof selectProvider>[0]['probe'] = async (id, options) =>
    (await host.provider(id)).probe(operation.context, options)
  const { provider } = await selectProvider({ candidates, probe, ask: undefined })
  return host.provider(provider)
}

interface Placed {
  readonly part: ArchivePart
  readonly source: string
}

/** Where the files of each bind mount go: into one folder of the caller's, by their old names. */
function placeFiles({ manifest }: Making, folder: string): readonly Placed[] {
  const parts = manifest.parts.filter(({ kind }) => kind === 'files')
  return parts.map((part, index) => {
    const mount = manifest.spec.mounts.find(({ target }) => target === part.target)
    const old = mount?.type === 'bind' ? basename(mount.source) : ''
    const name = old === '' || old === '..' || old === '.' ? `files-${index}` : old
    return { part, source: parts.length === 1 ? folder : join(folder, `${index}-${name}`) }
  })
}

async function assertEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return
  throw new HolmError('HOLM_USAGE', `${folder} is not empty, and the files of the archive would go there`, {
    hint: 'Name an empty folder with --files.',
    details: { folder },
  })
}

/** The base is the archive's root filesystem; ports are leased, mounts lead to where the files are now. */
async function complete(
  { host, manifest, spec }: Making,
  provider: Provider,
  { owned, placed }: { readonly owned: string; readonly placed: readonly Placed[] },
): Promise<EnvironmentSpec> {
  const sha256 = manifest.parts.find(({ kind }) => kind === 'rootfs')?.sha256 ?? ''
  const mounts = spec.mounts.flatMap((mount): Mount[] => {
    if (mount.type !== 'bind') return [mount]
    const found = placed.find(({ part }) => part.target === mount.target)
    return found === undefined ? [] : [{ ...mount, source: found.source }]
  })
  const base = {
    kind: 'rootfs',
    name: `import-${spec.name}`,
    path: join(owned, 'rootfs.tar'),
    sha256,
  } as const
  const origin = { ...spec.origin, source: `import:${manifest.name}`, project: '' }
  const bare: EnvironmentSpec = { ...spec, base, mounts, origin }
  const leased = provider.traits.mapsPorts ? await lease(host, bare) : bare
  const labels = labelsOf({ namespace: host.namespace, spec: leased, hash: hashSpec(leased) })
  return { ...leased, labels }
}

function lease(host: HostContext, spec: EnvironmentSpec): Promise<EnvironmentSpec> {
  const range = { first: host.config.values['ports.first'], last: host.config.values['ports.last'] }
  return host.state.locks.holdWaiting('@ports', 'choosing ports', () =>
    assignPorts(spec, { range, taken: portsTaken(host.state) }),
  )
}

function recordOf(
  host: HostContext,
  {
    spec,
    provider,
    owned,
  }: { readonly spec: EnvironmentSpec; readonly provider: string; readonly owned: string },
): EnvironmentRecord {
  const { user, workdir } = spec.exec
  return {
    namespace: host.namespace,
    name: spec.name,
    provider,
    phase: 'creating',
    project: '',
    source: spec.origin.source,
    hash: hashSpec(spec),
    createdAt: new Date().toISOString(),
    details: {
      blueprint: spec.origin.blueprint,
      spec,
      owned: [owned],
      ...(user === undefined ? {} : { user }),
      ...(workdir === undefined ? {} : { workdir }),
    },
  }
}

async function placeParts(
  { host, operation, folder }: Making,
  { owned, placed }: { readonly owned: string; readonly placed: readonly Placed[] },
): Promise<void> {
  await rm(owned, { recursive: true, force: true })
  await mkdir(owned, { recursive: true, mode: 0o700 })
  await rename(join(folder, 'rootfs.tar'), join(owned, 'rootfs.tar'))
  for (const { part, source } of placed) {
    await mkdir(source, { recursive: true })
    await unpackMount({ host, operation }, join(folder, part.path), source)
  }
}

async function putVolumes({ manifest, spec, folder, operation }: Making, provider: Provider): Promise<void> {
  const volumes = manifest.parts.filter(({ kind }) => kind === 'volume')
  if (volumes.length === 0) return
  const files = requireFacet(provider, 'files')
  await operation.step('volumes', async () => {
    for (const { path, target = '/' } of volumes) {
      const tar = createReadStream(join(folder, path)) as AsyncIterable<Uint8Array>
      await files.put(spec.name, { path: posix.dirname(target), tar }, operation.context)
    }
  })
}

interface Leaving {
  readonly provider: Provider
  readonly owned: string
  readonly placed: string | undefined
}

const cleanUpMs = 30_000

async function leaveNothing(
  { host, operation, spec: { name } }: Making,
  { provider, owned, placed }: Leaving,
  cause: unknown,
): Promise<void> {
  const cleaning = operation.withSignal(AbortSignal.timeout(cleanUpMs))
  try {
    // Its volumes are what this import has just filled.
    if (!isHolmError(cause, 'HOLM_ENVIRONMENT_CONFLICT'))
      await provider.remove(name, { volumes: true }, cleaning.context)
    host.state.records.remove(name)
    await forgetCopies(host, { name, owned: [owned, ...(placed === undefined ? [] : [placed])] })
  } catch (error) {
    operation.warn(
      `the half-made environment ${name} could not be removed: ${(error as Error).message}`,
      `Remove it with: holm destroy ${name}`,
    )
  }
}
