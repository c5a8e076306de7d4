import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Transform, pipeline } from 'node:stream'
import type { Readable } from 'node:stream'
import { createZstdDecompress } from 'node:zlib'
import { HolmError, isHolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import type { Engine } from './engine.ts'
import { connectionError, parseFailure } from './engine-errors.ts'
import { label } from './names.ts'
import { followProgress } from './progress.ts'

interface Target<Kind extends Base['kind']> {
  readonly base: Extract<Base, { kind: Kind }>
  readonly reference: string
}

/** One tarball, one image: found again by the hash in its tag. */
export async function importRootfs(
  engine: Engine,
  { base, reference }: Target<'rootfs'>,
  ctx: ProviderContext,
): Promise<void> {
  const total = await fileSize(base.path)
  const file = createReadStream(base.path, { highWaterMark: 1 << 18 })
  const counted = file.pipe(countBytes(total, { message: `importing ${base.name}`, ctx }))
  file.on('error', (error) => counted.destroy(error))
  await importTar(
    engine,
    { tar: decompressed(counted, base.path), reference, source: base.path, hash: base.sha256 },
    ctx,
  )
}

/** The engine unpacks gz, bz2 and (with its xz program) xz itself; zstd only newer ones do. */
function decompressed(stream: Readable, path: string): Readable {
  if (!/\.(zst|zstd|tzst)$/.test(path)) return stream
  // Errors travel down the pipeline: the consumer sees them.
  return pipeline(stream, createZstdDecompress(), () => {})
}

export async function importFolder(
  engine: Engine,
  { base, reference }: Target<'folder'>,
  ctx: ProviderContext,
): Promise<void> {
  const { default: tarFs } = await import('tar-fs')
  ctx.progress({ message: `importing ${base.name} from ${base.path}` })
  const tar = tarFs.pack(base.path)
  await importTar(engine, { tar, reference, source: base.path, hash: '' }, ctx)
}

interface ImportRequest {
  readonly tar: Readable
  readonly reference: string
  readonly source: string
  readonly hash: string
}

async function importTar(engine: Engine, request: ImportRequest, ctx: ProviderContext): Promise<void> {
  const { tar, reference, source } = request
  const [, tag] = reference.split(':')
  await engine.use({ ctx, action: `import ${source}` }, async (docker, abortSignal) => {
    try {
      const changes = [`LABEL ${label.base}="${request.hash}"`, 'CMD ["/bin/sh"]']
      // Podman reads the tag only as part of the name, docker takes both.
      const stream = await docker.importImage(tar, { repo: reference, tag, changes, abortSignal })
      await followProgress(stream as never, { message: `importing ${source}`, ctx })
    } catch (error) {
      throw importError(error, { engine, source, aborted: ctx.signal.aborted })
    } finally {
      tar.destroy()
    }
  })
}

function importError(
  error: unknown,
  about: { readonly engine: Engine; readonly source: string; readonly aborted: boolean },
): unknown {
  if (about.aborted || isHolmError(error)) return error
  const failure = parseFailure(error)
  if (/no space left/i.test(failure.message)) {
    return new HolmError('HOLM_DISK_FULL', `no space is left to import ${about.source}: ${failure.message}`, {
      hint: 'Free space on the disk that holds the engine’s data.',
      cause: error,
    })
  }
  const lost =
    failure.code?.startsWith('Z_') || failure.code?.startsWith('ZSTD')
      ? undefined
      : connectionError(failure, about.engine.connection(), error)
  return (
    lost ??
    new HolmError('HOLM_BASE_INVALID', `${about.source} could not be imported: ${failure.message}`, {
      hint: 'Check that it is a tar archive of a root filesystem, and that it is complete.',
      cause: error,
    })
  )
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

/** Reports at most once per 4 MiB. */
function countBytes(
  total: number,
  { message, ctx }: { readonly message: string; readonly ctx: ProviderContext },
): Transform {
  let current = 0
  let reported = 0
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      current += chunk.length
      if (current - reported >= 4 << 20 || current === total) {
        reported = current
        ctx.progress({ message, current, total, unit: 'bytes' })
      }
      done(null, chunk)
    },
  })
}
