import path from 'node:path'
import { HolmError } from '@holm/core'
import type { FilesFacet } from '@holm/core'
import type { Engine } from './engine.ts'
import { requireEnvironment } from './environment.ts'
import type { Target } from './environment.ts'
import { openInside } from './open-inside.ts'
import { openRoot } from './root-folder.ts'
import { resolveInside } from './rootfs-path.ts'
import { packTar } from './pack-tar.ts'
import { untar } from './untar.ts'

/** Works on stopped environments, too, and needs no tar inside. */
export function filesFacet(engine: Engine): FilesFacet {
  return {
    async put(name, { path: folder, tar }, ctx) {
      const target = { engine, name, ctx }
      await engine.use({ ctx, action: `copy into ${name}`, environment: name }, async (client) => {
        const opened = await openRoot(client, await requireEnvironment(client, name), target)
        try {
          const exists = await openInside(opened.root, folder)
          if (!exists) throw missing(folder)
          await exists.close()
          await untar({ root: opened.root, folder, tar })
        } finally {
          await opened.close()
        }
      })
    },
    async *get(name, inner, ctx) {
      const target: Target = { engine, name, ctx }
      const action = { ctx, action: `copy from ${name}`, environment: name }
      const opened = await engine.use(action, async (client) =>
        openRoot(client, await requireEnvironment(client, name), target),
      )
      try {
        const real = await resolveInside(opened.root, inner, 'keep')
        if (real === undefined) throw missing(inner)
        const folder = real === opened.root ? opened.root : path.dirname(real)
        const entry = real === opened.root ? '.' : path.basename(real)
        yield* packTar({ folder, entry, ctx })
      } finally {
        await opened.close()
      }
    },
  }
}

function missing(inner: string): HolmError {
  return new HolmError('HOLM_USAGE', `there is no ${inner} inside`, {
    hint: 'Give a path that exists in the environment.',
    details: { path: inner },
  })
}
