import path from 'node:path'
import { HolmError } from '@holm/core'
import type { Base, BaseInfo, ImagesFacet, ProviderContext } from '@holm/core'
import type { Image } from './api.ts'
import type { Client } from './client.ts'
import { readJson } from './content.ts'
import type { Engine } from './engine.ts'
import { ignoreMissing } from './failure.ts'
import { parseImageConfig } from './image-config.ts'
import type { ImageConfig } from './image-config.ts'
import { importRootfs } from './import-rootfs.ts'
import { withLease } from './lease.ts'
import { withLock } from './lock.ts'
import { chooseManifest, goArchitecture, parseDiffIds, parseManifest } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { label, hash, snapshotter } from './names.ts'
import { pullImage } from './pull.ts'
import { fullReference } from './reference.ts'
import { hasSnapshot, unpackLayers } from './unpack.ts'

/** A base that is there, unpacked. */
export interface PreparedBase {
  readonly name: string
  readonly digest: string
  /** Snapshot with its files. */
  readonly chain: string
  readonly config: ImageConfig
}

/** The name of containerd's image for a base. */
export function imageName(base: Base): string {
  switch (base.kind) {
    case 'image':
      return fullReference(base)
    case 'rootfs':
      return `holm.local/rootfs:${base.sha256.slice(0, 32)}`
    default:
      throw new HolmError(
        'HOLM_BLUEPRINT_UNSUPPORTED',
        `containerd cannot start from a base of kind ${base.kind}`,
        { hint: 'Name an image or a root filesystem tarball, or use another provider.' },
      )
  }
}

export function imagesFacet(engine: Engine): ImagesFacet {
  return {
    inspect: (base, ctx) =>
      engine.use({ ctx, action: `look at the image ${imageName(base)}` }, async (client) => {
        const found = await findBase(client, imageName(base))
        return found && baseInfo(base, found)
      }),
    prepare: async (base, ctx) => baseInfo(base, await prepareBase(engine, base, ctx)),
    remove: (base, ctx) =>
      engine.use({ ctx, action: `remove the image ${imageName(base)}` }, async (client) => {
        await client.call('Images.Delete', { name: imageName(base), sync: true }).catch(ignoreMissing)
      }),
  }
}

function baseInfo(base: Base, { digest, config }: PreparedBase): BaseInfo {
  const env = config.env.map(
    (entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const,
  )
  return {
    base: base.kind === 'image' ? { ...base, digest: base.digest ?? digest } : base,
    id: digest,
    labels: config.labels,
    env: Object.fromEntries(env),
    ...(config.user !== '' && { user: config.user }),
    ...(config.workdir !== '' && { workdir: config.workdir }),
  }
}

/** Undefined when containerd does not hold it, or holds it without its unpacked files. One call when holm made it. */
export async function findBase(client: Client, name: string): Promise<PreparedBase | undefined> {
  const answer = await client.call('Images.Get', { name }).catch(ignoreMissing)
  if (!answer) return undefined
  const { image } = answer
  const known = image.labels[label.config]
  const chain = image.labels[label.chain]
  if (known === undefined || chain === undefined) return undefined
  return { name, digest: image.target.digest, chain, config: parseImageConfig(JSON.parse(known)) }
}

/** Fetches, imports or unpacks unless it is there. Once at a time, whoever asks. */
export async function prepareBase(engine: Engine, base: Base, ctx: ProviderContext): Promise<PreparedBase> {
  const name = imageName(base)
  return engine.use({ ctx, action: `prepare the image ${name}` }, async (client) => {
    const found = await findBase(client, name)
    if (found && (await hasSnapshot(client, found.chain))) return found
    const file = path.join(engine.folder, 'locks', `image-${hash(name, 16)}`)
    const request = { file, what: `the image ${name}`, signal: ctx.signal, timeoutMs: 60 * 60_000 }
    return withLock(request, () => fetchBase(client, { base, name, engine }, ctx))
  })
}

interface FetchRequest {
  readonly base: Base
  readonly name: string
  readonly engine: Engine
}

async function fetchBase(
  client: Client,
  { base, name, engine }: FetchRequest,
  ctx: ProviderContext,
): Promise<PreparedBase> {
  const present = await client.call('Images.Get', { name }).catch(ignoreMissing)
  if (!present && base.kind === 'rootfs') await importRootfs(client, { base, name }, ctx)
  if (!present && base.kind === 'image') await pullImage(client, { base, name, engine }, ctx)
  const { image } = present ?? (await client.call('Images.Get', { name }))
  return unpackImage(client, image, ctx)
}

/** The files of an image that is there, whoever brought it, and labels that spare the next one the way. */
async function unpackImage(client: Client, image: Image, ctx: ProviderContext): Promise<PreparedBase> {
  const { name, target } = image
  const manifest = await loadManifest(client, target.digest)
  const raw = manifest && (await readJson(client, manifest.config.digest))
  if (!manifest || raw === undefined) throw missing(name)
  ctx.progress({ message: `unpacking ${name}` })
  return withLease(client, async (lease) => {
    const chain = await unpackLayers(client, {
      layers: manifest.layers,
      diffIds: parseDiffIds(raw),
      lease,
      ctx,
    })
    const labels = { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: chain }
    const updateMask = { paths: Object.keys(labels).map((key) => `labels.${key}`) }
    await client.call('Content.Update', { info: { digest: manifest.config.digest, labels }, updateMask })
    const { config } = raw as { config?: unknown }
    await rememberConfig(
      client,
      { ...image, labels: { ...image.labels, [label.chain]: chain } },
      config ?? {},
    )
    return { name, digest: target.digest, chain, config: parseImageConfig(config) }
  })
}

/** containerd takes labels of up to 4 KiB: a longer configuration is read from its blob each time. */
async function rememberConfig(client: Client, image: Image, config: unknown): Promise<void> {
  const text = JSON.stringify(config)
  if (text.length > 3500) return
  const labels = { ...image.labels, [label.config]: text }
  const paths = [label.chain, label.config].map((key) => `labels.${key}`)
  await client.call('Images.Update', { image: { ...image, labels }, updateMask: { paths } })
}

/** The manifest for this machine; undefined when a part of it is not there. */
async function loadManifest(client: Client, digest: string): Promise<Manifest | undefined> {
  const value = await readJson(client, digest)
  const manifest = parseManifest(value)
  if (manifest) return manifest
  const chosen = chooseManifest(value, goArchitecture(process.arch))
  return chosen && parseManifest(await readJson(client, chosen.digest))
}

function missing(name: string): HolmError {
  return new HolmError('HOLM_IMAGE_MISSING', `containerd holds the image ${name} only in part`, {
    hint: `Remove it with \`ctr -n holm images rm ${name}\` and try again.`,
  })
}
