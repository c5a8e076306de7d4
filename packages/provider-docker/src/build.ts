import { basename } from 'node:path'
import { HolmError, isHolmError } from '@holm/core'
import type { Base, ProviderContext } from '@holm/core'
import { dockerfileInContext, hashContext, loadContext } from './build-context.ts'
import type { Engine } from './engine.ts'
import { connectionError, parseFailure } from './engine-errors.ts'
import { repositoryPart } from './names.ts'
import type { ImageName } from './names.ts'
import { StreamFailure, followProgress } from './progress.ts'

export type BuildBase = Extract<Base, { kind: 'build' }>

/** The tag is a hash of everything the build sees: the same content is never built twice. */
export async function buildName(base: BuildBase): Promise<ImageName> {
  const context = await loadContext(base.context, base.dockerfile)
  const args = Object.entries(base.args).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const seed = JSON.stringify([dockerfileInContext(base.context, base.dockerfile), args, base.target ?? ''])
  const hash = await hashContext(context, seed)
  return { repo: `holm-build/${repositoryPart(basename(base.context))}`, tag: hash.slice(0, 12) }
}

/** Through the classic builder, which every engine has and which needs no session. */
export async function buildBase(
  engine: Engine,
  target: { readonly base: BuildBase; readonly reference: string },
  ctx: ProviderContext,
): Promise<void> {
  const { base, reference } = target
  const message = `building ${basename(base.context)}`
  ctx.progress({ message })
  const { default: tarFs } = await import('tar-fs')
  const context = await loadContext(base.context, base.dockerfile)
  const tar = tarFs.pack(base.context, { ignore: unlisted(context.entries, base.context) })
  await engine.use({ ctx, action: `build ${base.dockerfile}` }, async (docker, abortSignal) => {
    try {
      const stream = await docker.buildImage(tar, {
        t: reference,
        dockerfile: dockerfileInContext(base.context, base.dockerfile),
        buildargs: { ...base.args },
        ...(base.target !== undefined && { target: base.target }),
        ...(base.cacheFrom && base.cacheFrom.length > 0 && { cachefrom: JSON.stringify(base.cacheFrom) }),
        rm: true,
        forcerm: true,
        abortSignal,
      })
      await followProgress(stream as never, { message, ctx })
    } catch (error) {
      throw buildError(error, { engine, base, aborted: ctx.signal.aborted })
    } finally {
      tar.destroy()
    }
  })
}

/** tar-fs walks by itself: what is neither on the list nor a folder on the way to it stays out. */
function unlisted(entries: readonly string[], folder: string): (path: string) => boolean {
  const kept = new Set(entries.flatMap(withParents))
  return (path) => {
    const entry = path.slice(folder.length).replaceAll('\\', '/').replace(/^\/+/, '')
    return entry !== '' && !kept.has(entry)
  }
}

function withParents(entry: string): readonly string[] {
  const parts = entry.split('/')
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function buildError(
  error: unknown,
  about: { readonly engine: Engine; readonly base: BuildBase; readonly aborted: boolean },
): unknown {
  if (about.aborted || isHolmError(error)) return error
  const failure = parseFailure(error)
  if (!(error instanceof StreamFailure)) {
    const lost = connectionError(failure, about.engine.connection(), error)
    if (lost) return lost
  }
  const lines = error instanceof StreamFailure ? error.lines.slice(-15) : []
  const text = [failure.message, ...lines.map((line) => `  ${line}`)].join('\n')
  const buildkit = /--mount|the --\w+ option requires BuildKit|unknown flag: \w+|heredoc/i.test(
    failure.message,
  )
  return new HolmError('HOLM_COMMAND_FAILED', `building ${about.base.dockerfile} failed: ${text}`, {
    hint: buildkit
      ? 'Use only what the classic builder knows, or build the image yourself and name it as the base.'
      : 'Correct the Dockerfile.',
    cause: error,
    details: { dockerfile: about.base.dockerfile, lines },
  })
}
