import { assertNotAborted } from '@holm/core'
import type { ExportFacet } from '@holm/core'
import type { Engine } from './engine.ts'
import { requireEnvironment } from './environment.ts'
import { explain } from './failure.ts'
import { packTar } from './pack-tar.ts'
import { openRoot } from './root-folder.ts'

/** Below mount points of every environment there is nothing of its own. */
const exclude: readonly string[] = ['./proc/*', './sys/*', './dev/*']

/** What is mounted inside is another filesystem than the root, whose files alone are packed. */
export function exportFacet(engine: Engine): ExportFacet {
  return {
    async *rootfs(name, ctx) {
      assertNotAborted(ctx.signal)
      const action = `export ${name}`
      const { root, close } = await engine.use({ ctx, action, environment: name }, async (client) =>
        openRoot(client, await requireEnvironment(client, name), { ctx, own: true }),
      )
      try {
        yield* packTar({ folder: `${root}/.`, entry: '.', ctx, oneFileSystem: true, exclude })
        assertNotAborted(ctx.signal)
      } catch (error) {
        assertNotAborted(ctx.signal)
        throw explain(error, { action, address: engine.address, environment: name })
      } finally {
        await close()
      }
    },
  }
}
