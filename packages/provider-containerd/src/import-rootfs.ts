import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Transform, pipeline } from 'node:stream'
import type { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { HolmError, isHolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import type { Client } from './client.ts'
import { writeBlob, writeJson } from './content.ts'
import { parseFailure } from './failure.ts'
import { defaultPath } from './image-config.ts'
import { withLease } from './lease.ts'
import { goArchitecture, manifestLabels, mediaTypes } from './manifest.ts'
import { label, snapshotter } from './names.ts'
import { unpackLayers } from './unpack.ts'

type Rootfs = Extract<Base, { kind: 'rootfs' }>

/** Makes an image of one layer from a tarball: layer, configuration, manifest, unpacked files, name. */
export async function importRootfs(
  client: Client,
  { base, name }: { readonly base: Rootfs; readonly name: string },
  ctx: ProviderContext,
): Promise<void> {
  const total = await fileSize(base.path)
  const message = `importing ${base.name}`
  ctx.progress({ message, current: 0, total, unit: 'bytes' })
  try {
    await withLease(client, async (lease) => {
      const shared = { lease, signal: ctx.signal }
      const layer = await writeBlob(client, {
        ...shared,
        ref: `holm-rootfs-${base.sha256}`,
        mediaType: mediaTypes.layer,
        data: await openTar(base, { ctx, total }),
      })
      ctx.progress({ message: `unpacking ${base.name}` })
      await unpackLayers(client, { layers: [layer], diffIds: [layer.digest], lease, ctx })
      const config = await writeJson(client, imageConfig(layer.digest), {
        ...shared,
        mediaType: mediaTypes.config,
        labels: { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: layer.digest },
      })
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: config,
        layers: [layer],
      }
      const target = await writeJson(client, manifest, {
        ...shared,
        mediaType: mediaTypes.manifest,
        labels: manifestLabels(manifest),
      })
      const labels = { [label.chain]: layer.digest, [label.base]: base.sha256, [label.config]: '{}' }
      await client.call('Images.Create', { image: { name, labels, target } }, { lease })
    })
  } catch (error) {
    throw importError(error, base, ctx)
  }
}

function imageConfig(diffId: string): unknown {
  return {
    architecture: goArchitecture(process.arch),
    os: 'linux',
    config: { Env: [`PATH=${defaultPath}`], Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created_by: 'holm' }],
  }
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (cause) {
    throw new HolmError('HOLM_BASE_NOT_FOUND', `the root filesystem ${path} cannot be read`, {
      hint: 'Import it again with `holm base import`.',
      cause,
    })
  }
}

interface OpenRequest {
  readonly ctx: ProviderContext
  readonly total: number
}

/** The plain tar, whatever it is packed with. */
async function openTar(base: Rootfs, { ctx, total }: OpenRequest): Promise<AsyncIterable<Uint8Array>> {
  const packing = parsePacking(await firstBytes(base.path))
  if (packing === 'xz' || packing === 'bzip2') {
    const { stdout, stderr } = await ctx.runner.spawn([packing, '-dc', '--', base.path], {
      signal: ctx.signal,
    })
    stderr.resume()
    return stdout as AsyncIterable<Uint8Array>
  }
  const file = createReadStream(base.path, { highWaterMark: 1 << 20, signal: ctx.signal })
  const counted = pipeline(file, countBytes(base, { ctx, total }), () => {})
  if (packing === 'gzip') return through(counted, createGunzip())
  if (packing === 'zstd') return through(counted, createZstdDecompress())
  return counted
}

function through(source: Readable, target: Transform): AsyncIterable<Uint8Array> {
  // Errors travel down the pipeline: the reader sees them.
  return pipeline(source, target, () => {})
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(6), 0, 6, 0)
    return buffer
  } finally {
    await file.close()
  }
}

/** Pure: told by its first bytes, for a name may lie. */
export function parsePacking(head: Uint8Array): 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'none' {
  const hex = Buffer.from(head).toString('hex')
  if (hex.startsWith('1f8b')) return 'gzip'
  if (hex.startsWith('28b52ffd')) return 'zstd'
  if (hex.startsWith('fd377a585a00')) return 'xz'
  return hex.startsWith('425a68') ? 'bzip2' : 'none'
}

/** Reports at most once per 4 MiB. */
function countBytes(base: Rootfs, { ctx, total }: OpenRequest): Transform {
  let current = 0
  let reported = 0
  return new Transform({
    highWaterMark: 1 << 20,
    transform(chunk: Uint8Array, _encoding, done) {
      current += chunk.length
      if (current - reported >= 4 << 20 || current === total) {
        reported = current
        ctx.progress({ message: `importing ${base.name}`, current, total, unit: 'bytes' })
      }
      done(null, chunk)
    },
  })
}

function importError(error: unknown, base: Rootfs, ctx: ProviderContext): unknown {
  if (isHolmError(error) || ctx.signal.aborted) return error
  const { message, status } = parseFailure(error)
  if (status === 'UNAVAILABLE' || /no space left/i.test(message)) return error
  return new HolmError('HOLM_BASE_INVALID', `${base.path} could not be imported: ${message}`, {
    hint: 'Check that it is a tar archive of a root filesystem, and that it is complete.',
    cause: error,
  })
}
