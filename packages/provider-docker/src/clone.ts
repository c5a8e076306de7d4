import { randomBytes } from 'node:crypto'
import type { CloneFacet } from '@holm/core'
import { createEnvironment } from './create.ts'
import type { Engine } from './engine.ts'
import { ignoreMissing } from './images.ts'
import { requireContainer } from './lifecycle.ts'
import { containerName, label, repositoryPart } from './names.ts'
import { commitContainer } from './snapshots.ts'

/**
 * Commit, then create: the layers are shared, nothing is copied but what changed. The image lives as long as the clone,
 * which carries its name as a label; `remove` takes it away.
 */
export function cloneFacet(engine: Engine): CloneFacet {
  return {
    clone: (name, spec, ctx) =>
      engine.use({ ctx, action: `clone ${name}`, environment: name }, async (docker) => {
        const info = await requireContainer(docker, { engine, name, ctx })
        const reference = `holm-clone/${repositoryPart(containerName(engine.namespace, spec.name))}:${randomBytes(6).toString('hex')}`
        await commitContainer(docker, info, {
          reference,
          labels: { [label.snapshotOf]: '', [label.snapshot]: '' },
        })
        try {
          return await createEnvironment(
            engine,
            { spec, image: reference, labels: { [label.clone]: reference } },
            ctx,
          )
        } catch (error) {
          await docker.getImage(reference).remove({ force: true }).catch(ignoreMissing)
          throw error
        }
      }),
  }
}
