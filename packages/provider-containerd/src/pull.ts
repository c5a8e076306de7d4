import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError, isHolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import type { Descriptor } from './api.ts'
import type { Client } from './client.ts'
import { writeBlob } from './content.ts'
import type { Engine } from './engine.ts'
import { isStatus, parseFailure } from './failure.ts'
import { withLease } from './lease.ts'
import { chooseManifest, goArchitecture, manifestLabels, mediaTypes, parseManifest } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { parseReference } from './reference.ts'
import { createRegistry, parseCredentials } from './registry.ts'
import type { Registry } from './registry.ts'

export interface PullRequest {
  readonly base: Extract<Base, { kind: 'image' }>
  readonly name: string
  readonly engine: Engine
}

interface Pull {
  readonly client: Client
  readonly registry: Registry
  readonly lease: string
  readonly name: string
  readonly ctx: ProviderContext
}

const manifestTypes = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
] as const

/** Fetches an image into containerd's content store. The same way for every containerd: the older ones cannot pull by themselves. */
export async function pullImage(client: Client, request: PullRequest, ctx: ProviderContext): Promise<void> {
  const { base, name, engine } = request
  const reference = parseReference(base)
  ctx.progress({ message: `pulling ${name}` })
  const credentials = await loadCredentials(engine, reference.registry)
  const registry = createRegistry({ reference, signal: ctx.signal, credentials })
  try {
    await withLease(client, async (lease) => {
      const target = await pullManifest({ client, registry, lease, name, ctx }, reference.version)
      await client.call('Images.Create', { image: { name, labels: {}, target } }, { lease })
    })
  } catch (error) {
    throw pullError(error, name, ctx)
  }
}

/** A manifest with all that it refers to, or the list that has one for this machine. */
async function pullManifest(pull: Pull, version: string): Promise<Descriptor> {
  const answer = await pull.registry.get(`manifests/${version}`, manifestTypes)
  const mediaType = (answer.headers.get('content-type') ?? mediaTypes.manifest).split(';')[0] ?? ''
  const data = Buffer.from(await answer.arrayBuffer())
  const value = JSON.parse(data.toString('utf8')) as unknown
  const manifest = parseManifest(value)
  const labels = manifest ? manifestLabels(manifest) : await pullChosen(pull, value)
  if (manifest) await pullParts(pull, manifest)
  const expected = version.startsWith('sha256:') ? { expected: version } : {}
  return writeBlob(pull.client, {
    ref: `holm-manifest-${pull.lease}-${version}`,
    mediaType,
    data: [data],
    labels,
    lease: pull.lease,
    signal: pull.ctx.signal,
    ...expected,
  })
}

async function pullChosen(pull: Pull, list: unknown): Promise<Record<string, string>> {
  const architecture = goArchitecture(process.arch)
  const chosen = chooseManifest(list, architecture)
  if (!chosen)
    throw new HolmError(
      'HOLM_IMAGE_MISSING',
      `the image ${pull.name} has nothing for linux/${architecture}`,
      {
        hint: 'Choose an image that was built for this machine.',
      },
    )
  await pullManifest(pull, chosen.digest)
  return { 'containerd.io/gc.ref.content.m.0': chosen.digest }
}

/** One after another: the bytes are what takes the time, and an abort then has one thing to end. */
async function pullParts({ client, registry, lease, name, ctx }: Pull, manifest: Manifest): Promise<void> {
  for (const part of [manifest.config, ...manifest.layers]) {
    const { digest, mediaType, size } = part
    if (await hasBlob(client, digest, lease)) continue
    const answer = await registry.get(`blobs/${digest}`)
    const item = digest.slice(7, 19)
    await writeBlob(client, {
      ref: `holm-${digest}`,
      mediaType,
      expected: digest,
      data: (answer.body ?? []) as AsyncIterable<Uint8Array>,
      lease,
      signal: ctx.signal,
      onProgress: (current) =>
        ctx.progress({ message: `pulling ${name}`, item, current, total: size, unit: 'bytes' }),
    })
  }
}

async function hasBlob(client: Client, digest: string, lease: string): Promise<boolean> {
  try {
    await client.call('Content.Info', { digest }, { lease })
    return true
  } catch (error) {
    if (isStatus(error, 'NOT_FOUND')) return false
    throw error
  }
}

async function loadCredentials(engine: Engine, registry: string): Promise<string | undefined> {
  const folder = engine.env['DOCKER_CONFIG'] ?? path.join(engine.env['HOME'] ?? '/', '.docker')
  const config = await readFile(path.join(folder, 'config.json'), 'utf8').catch(() => undefined)
  return config === undefined ? undefined : parseCredentials(config, registry)
}

function pullError(error: unknown, name: string, ctx: ProviderContext): unknown {
  if (isHolmError(error) || ctx.signal.aborted) return error
  const { message, status } = parseFailure(error)
  if (status === 'UNAVAILABLE' || /no space left/i.test(message)) return error
  return new HolmError('HOLM_IMAGE_MISSING', `the image ${name} could not be pulled: ${message}`, {
    hint: 'Try again, or import it with `ctr -n holm images import <file>`.',
    cause: error,
  })
}
