import type { ExportFacet, ProviderContext } from '@holm/core'
import { assertNotAborted } from '@holm/core'
import type { Engine } from './engine.ts'
import { engineError } from './engine-errors.ts'
import { requireContainer } from './lifecycle.ts'
import { filterTar } from './tar-filter.ts'

/** The engine's export knows no mounts' contents and numeric owners only; what it made for its own mounts is taken out. */
export function exportFacet(engine: Engine): ExportFacet {
  return {
    async *rootfs(name: string, ctx: ProviderContext) {
      assertNotAborted(ctx.signal)
      const request = { ctx, action: `export ${name}`, environment: name }
      const stream = await engine.use(request, async (docker, abortSignal) => {
        const { Id } = await requireContainer(docker, { engine, name, ctx })
        return docker.getContainer(Id).export({ abortSignal })
      })
      try {
        yield* filterTar(stream as unknown as AsyncIterable<Uint8Array>, isOwn)
        assertNotAborted(ctx.signal)
      } catch (error) {
        throw engineError(error, { ...request, signal: ctx.signal, connection: engine.connection() })
      }
    },
  }
}

/** Not what the engine or the kernel puts there. */
function isOwn(path: string): boolean {
  return !/^(?:(?:proc|sys|dev)\/.|\.dockerenv$|run\/\.containerenv$)/.test(path)
}
