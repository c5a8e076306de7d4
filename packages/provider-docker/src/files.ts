import { Readable } from 'node:stream'
import { HolmError } from '@holm/core'
import type { FilesFacet } from '@holm/core'
import { forgetCommits } from './commits.ts'
import type { Engine } from './engine.ts'
import { engineError, parseFailure } from './engine-errors.ts'
import { containerName } from './names.ts'

/** Through the engine's archive calls: they work on a stopped environment too, and need no tar inside. */
export function filesFacet(engine: Engine): FilesFacet {
  return {
    async put(name, { path, tar }, ctx) {
      await engine.use(
        { ctx, action: `copy into ${name}`, environment: name },
        async (docker, abortSignal) => {
          const container = docker.getContainer(containerName(engine.namespace, name))
          await container
            .putArchive(Readable.from(tar), { path, abortSignal })
            .catch((error: unknown) => throwMissing(error, path))
          await forgetCommits(docker, (await container.inspect()).Id)
        },
      )
    },
    async *get(name, path, ctx) {
      const request = { ctx, action: `copy from ${name}`, environment: name }
      const stream = await engine.use(request, (docker, abortSignal) =>
        docker
          .getContainer(containerName(engine.namespace, name))
          .getArchive({ path, abortSignal })
          .catch((error: unknown) => throwMissing(error, path)),
      )
      try {
        for await (const chunk of stream) yield chunk as Uint8Array
      } catch (error) {
        throw engineError(error, { ...request, signal: ctx.signal, connection: engine.connection() })
      }
    },
  }
}

function throwMissing(error: unknown, path: string): never {
  const failure = parseFailure(error)
  const missing = failure.status === 404 && !/no such container|no container with/i.test(failure.message)
  if (!missing && !/not a directory|could not find the file/i.test(failure.message)) throw error
  throw new HolmError('HOLM_USAGE', `there is no ${path} inside`, {
    hint: 'Give a path that exists in the environment.',
    cause: error,
    details: { path },
  })
}
