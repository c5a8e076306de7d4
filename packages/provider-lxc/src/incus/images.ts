import { createReadStream, existsSync } from 'node:fs'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import { randomBytes } from 'node:crypto'
import { isMissing } from './api-errors.ts'
import type { Client } from './client.ts'
import { key } from './names.ts'
import type { IncusSession } from './session.ts'
import { createArchive } from './ustar.ts'

const importMs = 600_000

export interface Image {
  readonly fingerprint: string
  /** Made for one environment alone: removed once that is there. */
  readonly temporary: boolean
}

/** The daemon's image of a base; imported unless it is there. */
export async function prepareImage(session: IncusSession, base: Base, ctx: ProviderContext): Promise<Image> {
  const client = session.client()
  if (base.kind === 'folder') {
    assertThere(base, 'HOLM_BASE_NOT_FOUND')
    return {
      fingerprint: await importImage(session, { base, id: `folder-${randomBytes(8).toString('hex')}` }, ctx),
      temporary: true,
    }
  }
  if (base.kind !== 'rootfs') throw new HolmError('HOLM_BUG', `lxc was given a base of kind ${base.kind}`)
  const alias = `holm-${base.sha256}`
  const found =
    (await findAlias(client, alias, ctx)) ?? (await findImported(client, { id: base.sha256, alias }, ctx))
  if (found !== undefined) return { fingerprint: found, temporary: false }
  assertThere(base, 'HOLM_IMAGE_MISSING')
  const fingerprint = await importImage(session, { base, id: base.sha256 }, ctx)
  await setAlias(client, { alias, fingerprint })
  return { fingerprint, temporary: false }
}

function assertThere(
  base: { readonly name: string; readonly path: string },
  code: 'HOLM_IMAGE_MISSING' | 'HOLM_BASE_NOT_FOUND',
): void {
  if (existsSync(base.path)) return
  throw new HolmError(code, `base ${base.name}: ${base.path} does not exist`, {
    hint: 'Add it again (`holm base add`).',
  })
}

async function findAlias(
  client: Client,
  alias: string,
  { signal }: ProviderContext,
): Promise<string | undefined> {
  try {
    return (await client.get<{ readonly target: string }>(`/1.0/images/aliases/${alias}`, { signal })).target
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** One whose importer was killed before it could give it its name. */
async function findImported(
  client: Client,
  { id, alias }: { readonly id: string; readonly alias: string },
  { signal }: ProviderContext,
): Promise<string | undefined> {
  const images = await client.get<
    readonly { fingerprint: string; properties: Record<string, string> | null }[]
  >('/1.0/images?recursion=1', {
    signal,
  })
  const fingerprint = images.find(({ properties }) => properties?.[key.base] === id)?.fingerprint
  if (fingerprint !== undefined) await setAlias(client, { alias, fingerprint })
  return fingerprint
}

/** Another holm may have been quicker. */
async function setAlias(
  client: Client,
  { alias, fingerprint }: { readonly alias: string; readonly fingerprint: string },
): Promise<void> {
  const body = { name: alias, target: fingerprint, description: 'base of holm' }
  await client.change({ method: 'POST', path: '/1.0/images/aliases', body }).catch((error: unknown) => {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_CONFLICT')) throw error
  })
}

type Importable = Extract<Base, { kind: 'rootfs' | 'folder' }>

interface Import {
  readonly base: Importable
  readonly id: string
}

async function importImage(
  session: IncusSession,
  { base, id }: Import,
  ctx: ProviderContext,
): Promise<string> {
  const client = session.client()
  ctx.progress({ message: `importing ${base.name}` })
  assertNotAborted(ctx.signal)
  const architecture = await loadArchitecture(client, ctx)
  const boundary = `holm-${randomBytes(16).toString('hex')}`
  const raw = {
    type: `multipart/form-data; boundary=${boundary}`,
    data: multipart(boundary, {
      metadata: describeImage({ name: base.name, id, architecture }),
      rootfs: readBase(session, base, ctx),
    }),
  }
  try {
    // Not cut off by an abort: an upload in pieces would be thrown away by the daemon only when it looks.
    const done = await client.change<{ readonly fingerprint: string }>(
      { method: 'POST', path: '/1.0/images', raw },
      { action: `import ${base.name}`, timeoutMs: importMs, signal: ctx.signal },
    )
    return done.fingerprint
  } catch (error) {
    const existing = /fingerprint already exists|already exists/i.test(
      error instanceof Error ? error.message : '',
    )
    const found = existing ? await findImported(client, { id, alias: `holm-${id}` }, ctx) : undefined
    if (found !== undefined) return found
    throw baseError(base, error)
  }
}

async function loadArchitecture(client: Client, { signal }: ProviderContext): Promise<string> {
  const { environment } = await client.get<{ environment: { architectures: readonly string[] } }>('/1.0', {
    signal,
  })
  return environment.architectures[0] ?? 'x86_64'
}

/** What the daemon says about a tarball that is none. */
function baseError(base: Importable, error: unknown): unknown {
  if (!isHolmError(error, 'HOLM_ENVIRONMENT_FAILED')) return error
  return new HolmError('HOLM_BASE_INVALID', `base ${base.name} cannot be imported: ${error.message}`, {
    cause: error,
    hint: 'Give a tarball of a root filesystem (.tar, .gz, .xz or .zst).',
  })
}

/** The daemon's own format: a tar with one file, which holds JSON as well as YAML. */
function describeImage({
  name,
  id,
  architecture,
}: {
  readonly name: string
  readonly id: string
  readonly architecture: string
}): Uint8Array {
  const metadata = {
    architecture,
    // The daemon wants a date; a fixed one keeps the image's fingerprint the same.
    creation_date: 1,
    properties: { description: `holm base ${name}`, [key.base]: id },
  }
  return createArchive('metadata.yaml', Buffer.from(`${JSON.stringify(metadata)}\n`))
}

async function* readBase(
  session: IncusSession,
  base: Importable,
  ctx: ProviderContext,
): AsyncIterable<Uint8Array> {
  if (base.kind === 'rootfs') {
    yield* createReadStream(base.path, { highWaterMark: 1024 * 1024 })
    return
  }
  const argv = [
    'tar',
    '--create',
    '--file=-',
    '--numeric-owner',
    '--one-file-system',
    '--directory',
    base.path,
    '.',
  ]
  const env = { PATH: `${session.settings.env['PATH'] ?? ''}:/usr/bin:/bin`, LANG: 'C' }
  const process = await ctx.runner.spawn(argv, { env, signal: ctx.signal })
  process.stderr.resume()
  yield* process.stdout as AsyncIterable<Uint8Array>
  const { code } = await process.exited
  if (code > 1) throw new HolmError('HOLM_BASE_INVALID', `tar of ${base.path} ended with ${code}`)
}

async function* multipart(
  boundary: string,
  parts: { readonly metadata: Uint8Array; readonly rootfs: AsyncIterable<Uint8Array> },
): AsyncIterable<Uint8Array> {
  const head = (name: string): Uint8Array =>
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}.tar"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    )
  yield head('metadata')
  yield parts.metadata
  yield Buffer.from('\r\n')
  yield head('rootfs')
  yield* parts.rootfs
  yield Buffer.from(`\r\n--${boundary}--\r\n`)
}
