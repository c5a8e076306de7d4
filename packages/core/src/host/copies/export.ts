import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { requireFacet } from '../../facets.ts'
import type { ArchiveManifest, ArchivePart } from '../../copies-api.ts'
import type { HostApi } from '../../host-api.ts'
import type { EnvironmentSpec, Mount } from '../../spec.ts'
import { HolmError } from '../../errors.ts'
import type { HostContext } from '../context.ts'
import { findEnvironment, type Found } from '../environment/manage.ts'
import { archiveEnd, padding, partHeader } from './archive.ts'
import { compress } from '../tar/compression.ts'
import { packMount, writableMounts } from './files.ts'
import { openSpool, writePart } from './spool.ts'
import { providersWith } from './snapshots.ts'

interface Export {
  readonly host: HostContext
  readonly found: Found
  readonly spec: EnvironmentSpec
  readonly folder: string
  readonly withFiles: boolean
}

/** Each part is written down first: its size and its sum stand before it in the archive. */
export async function* exportEnvironment(
  host: HostContext,
  environment: string | undefined,
  options: NonNullable<Parameters<HostApi['export']>[1]>,
): AsyncIterable<Uint8Array> {
  const found = await findEnvironment(host, environment, options)
  const { record, provider } = found
  requireFacet(provider, 'export', providersWith(host, 'export'))
  const spec = record.details.spec
  if (spec === undefined) {
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `holm no longer knows how ${record.name} was made`, {
      hint: 'Make it anew with: holm up --recreate',
    })
  }
  const { folder, close } = await openSpool(host)
  try {
    const withFiles = options.withFiles === true
    const parts = await host.state.locks.hold(record.name, 'export', () =>
      writeParts({ host, found, spec, folder, withFiles }),
    )
    const manifest: ArchiveManifest = {
      format: 'holm-environment',
      version: 1,
      name: record.name,
      provider: provider.id,
      createdAt: new Date().toISOString(),
      spec: portableSpec(spec, withFiles),
      parts,
    }
    options.onManifest?.(manifest)
    yield* compress(readArchive(manifest, folder), options.compression ?? 'none')
  } finally {
    await close()
  }
}

/** What another machine may know and can use. Secrets stay, and with them every command that would run over there. */
export function portableSpec(spec: EnvironmentSpec, withFiles: boolean): EnvironmentSpec {
  const writable = new Set(writableMounts(spec).map(({ target }) => target))
  const mounts = spec.mounts.flatMap((mount): Mount[] => {
    if (mount.type !== 'bind') return [mount]
    return withFiles && writable.has(mount.target) ? [{ ...mount, source: basename(mount.source) }] : []
  })
  return {
    ...spec,
    mounts,
    secrets: {},
    labels: {},
    lifecycle: { ...spec.lifecycle, initialize: [] },
    origin: { ...spec.origin, source: `import:${spec.origin.blueprint}`, project: '' },
    ports: spec.ports.map(({ host: _host, ...port }) => port),
  }
}

async function writeParts(work: Export): Promise<ArchivePart[]> {
  const { found, folder } = work
  const { record, provider, operation } = found
  const rootfs = requireFacet(provider, 'export').rootfs(record.name, operation.context)
  const written = await operation.step('rootfs', () =>
    writePart(rootfs, join(folder, 'rootfs.tar'), operation.signal),
  )
  return [
    { path: 'rootfs.tar', kind: 'rootfs', ...written },
    ...(await writeVolumes(work)),
    ...(work.withFiles ? await writeFiles(work) : []),
  ]
}

async function writeVolumes({ host, found, spec, folder }: Export): Promise<ArchivePart[]> {
  const { record, provider, operation } = found
  const named = spec.mounts.filter(
    (mount) => mount.type === 'volume' && mount.source !== undefined && mount.own !== true,
  )
  if (named.length === 0) return []
  const files = requireFacet(provider, 'files', providersWith(host, 'files'))
  return operation.step('volumes', async () => {
    const parts: ArchivePart[] = []
    for (const [index, { target }] of named.entries()) {
      const path = `volume-${index}.tar`
      const data = files.get(record.name, target, operation.context)
      parts.push({
        path,
        kind: 'volume',
        target,
        ...(await writePart(data, join(folder, path), operation.signal)),
      })
    }
    return parts
  })
}

async function writeFiles({ host, found: { operation }, spec, folder }: Export): Promise<ArchivePart[]> {
  return operation.step('files', async () => {
    const parts: ArchivePart[] = []
    for (const [index, { source, target }] of writableMounts(spec).entries()) {
      const path = `files-${index}.tar`
      const kind = (await stat(source)).isDirectory() ? 'folder' : 'file'
      await packMount({ host, operation }, { source, kind, archive: join(folder, `${path}.raw`) })
      const data = createReadStream(join(folder, `${path}.raw`))
      parts.push({
        path,
        kind: 'files',
        target,
        ...(await writePart(data, join(folder, path), operation.signal)),
      })
    }
    return parts
  })
}

async function* readArchive(manifest: ArchiveManifest, folder: string): AsyncIterable<Uint8Array> {
  const head = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  yield* [partHeader('manifest.json', head.length), head, padding(head.length)]
  for (const { path, sizeBytes } of manifest.parts) {
    yield partHeader(path, sizeBytes)
    yield* createReadStream(join(folder, path)) as AsyncIterable<Uint8Array>
    yield padding(sizeBytes)
  }
  yield archiveEnd
}
