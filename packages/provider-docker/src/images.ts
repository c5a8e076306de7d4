import { HolmError, isHolmError } from '@holm/core'
import type { Base, BaseInfo, ImagesFacet, ProviderContext } from '@holm/core'
import type Docker from 'dockerode'
import type { Engine } from './engine.ts'
import { connectionError, parseFailure } from './engine-errors.ts'
import { buildBase, buildName } from './build.ts'
import { importFolder, importRootfs } from './import.ts'
import { folderFingerprint } from './folder-fingerprint.ts'
import { imageReference, repositoryPart } from './names.ts'
import { StreamFailure, followProgress } from './progress.ts'
import { registryAuth } from './registry-auth.ts'

/** The reference under which the engine holds (or will hold) this base. */
export async function baseReference(base: Base): Promise<string> {
  switch (base.kind) {
    case 'image':
      return base.digest === undefined
        ? withTag(base.reference)
        : `${withoutTag(base.reference)}@${base.digest}`
    case 'rootfs':
      return imageReference({ repo: `holm-base/${repositoryPart(base.name)}`, tag: base.sha256.slice(0, 12) })
    case 'folder':
      return imageReference({
        repo: `holm-base/${repositoryPart(base.name)}`,
        tag: await folderFingerprint(base.path),
      })
    case 'build':
      return imageReference(await buildName(base))
    case 'disk':
    case 'host':
    default:
      throw new HolmError(
        'HOLM_BLUEPRINT_UNSUPPORTED',
        `docker cannot run ${base.kind === 'disk' ? 'the disk of a machine' : 'this machine’s own files'} as a base`,
        {
          hint: 'Name an image or a rootfs, or use the sandbox provider.',
        },
      )
  }
}

/** `debian` means `debian:latest`; a port of a registry is no tag. */
export function withTag(reference: string): string {
  return /[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`
}

function withoutTag(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
}

export function imagesFacet(engine: Engine): ImagesFacet {
  return {
    inspect: async (base, ctx) => inspectBase(engine, { base, reference: await baseReference(base) }, ctx),
    prepare: (base, ctx) => prepareBase(engine, base, ctx),
    async remove(base, ctx) {
      const reference = await baseReference(base)
      await engine.use({ ctx, action: `remove the image ${reference}` }, async (docker) => {
        await docker.getImage(reference).remove().catch(ignoreMissing)
      })
    },
  }
}

export function ignoreMissing(error: unknown): void {
  if (parseFailure(error).status !== 404) throw error
}

interface Named {
  readonly base: Base
  readonly reference: string
}

/** Undefined when the engine does not hold it. */
async function inspectBase(
  engine: Engine,
  { base, reference }: Named,
  ctx: ProviderContext,
): Promise<BaseInfo | undefined> {
  return engine.use({ ctx, action: `look at the image ${reference}` }, async (docker) => {
    try {
      return parseImage(base, await docker.getImage(reference).inspect())
    } catch (error) {
      if (parseFailure(error).status === 404) return undefined
      throw error
    }
  })
}

/** Pure: an image as the contract wants it. */
export function parseImage(base: Base, image: Docker.ImageInspectInfo): BaseInfo {
  const config = image.Config ?? {}
  const env = (config.Env ?? []).map(
    (entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const,
  )
  return {
    base: pinned(base, image.RepoDigests ?? []),
    id: image.Id,
    sizeBytes: image.Size,
    labels: config.Labels ?? {},
    env: Object.fromEntries(env),
    ...(config.User && { user: config.User }),
    ...(config.WorkingDir && { workdir: config.WorkingDir }),
  }
}

/** The digest under which the registry knows the image; an image that came from none has none. */
function pinned(base: Base, digests: readonly string[]): Base {
  if (base.kind !== 'image' || base.digest !== undefined) return base
  const repository = withoutTag(base.reference)
  const own = digests.find((each) => each.startsWith(`${repository}@`)) ?? digests[0]
  const digest = own?.slice(own.indexOf('@') + 1)
  return digest === undefined ? base : { ...base, digest }
}

/** Fetches, imports or builds unless it is there. */
export async function prepareBase(engine: Engine, base: Base, ctx: ProviderContext): Promise<BaseInfo> {
  const reference = await baseReference(base)
  const present = await inspectBase(engine, { base, reference }, ctx)
  if (present) return present
  await fetchBase(engine, { base, reference }, ctx)
  const made = await inspectBase(engine, { base, reference }, ctx)
  if (made) return made
  throw new HolmError(
    'HOLM_IMAGE_MISSING',
    `the engine does not hold ${reference}, though it reported success`,
    {
      hint: 'Look at the engine’s log.',
    },
  )
}

function fetchBase(engine: Engine, { base, reference }: Named, ctx: ProviderContext): Promise<void> {
  switch (base.kind) {
    case 'rootfs':
      return importRootfs(engine, { base, reference }, ctx)
    case 'folder':
      return importFolder(engine, { base, reference }, ctx)
    case 'build':
      return buildBase(engine, { base, reference }, ctx)
    default:
      return pull(engine, reference, ctx)
  }
}

async function pull(engine: Engine, reference: string, ctx: ProviderContext): Promise<void> {
  const message = `pulling ${reference}`
  ctx.progress({ message })
  const authconfig = await registryAuth(engine, reference, ctx)
  await engine.use({ ctx, action: `pull ${reference}` }, async (docker, abortSignal) => {
    try {
      const stream = await docker.createImage({
        ...(authconfig && { authconfig }),
        fromImage: fromImage(reference),
        tag: tagOf(reference),
        abortSignal,
      })
      await followProgress(stream as never, { message, ctx })
    } catch (error) {
      throw pullError(error, { reference, engine, aborted: ctx.signal.aborted })
    }
  })
}

/** A digest is given whole: engines before 20.10.? and podman take it only as part of the name. */
function fromImage(reference: string): string {
  return reference.includes('@') ? reference : reference.slice(0, reference.lastIndexOf(':'))
}

function tagOf(reference: string): string {
  return reference.includes('@') ? '' : reference.slice(reference.lastIndexOf(':') + 1)
}

function pullError(
  error: unknown,
  about: { readonly reference: string; readonly engine: Engine; readonly aborted: boolean },
): unknown {
  if (about.aborted || isHolmError(error)) return error
  const failure = parseFailure(error)
  if (!(error instanceof StreamFailure)) {
    const lost = connectionError(failure, about.engine.connection(), error)
    if (lost) return lost
  }
  if (/no space left/i.test(failure.message)) {
    return new HolmError('HOLM_DISK_FULL', `no space is left for ${about.reference}: ${failure.message}`, {
      hint: 'Free space on the disk that holds the engine’s data.',
      cause: error,
    })
  }
  return new HolmError(
    'HOLM_IMAGE_MISSING',
    `the image ${about.reference} is not on this machine and could not be pulled: ${failure.message}`,
    {
      hint: 'Load it with `docker load -i <file>`, or give a root filesystem instead: `holm base add <name> <rootfs.tar>`.',
      cause: error,
      details: { reference: about.reference, engine: failure.message },
    },
  )
}
