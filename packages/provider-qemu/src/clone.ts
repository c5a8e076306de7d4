import { assertNotAborted } from '@holm/core'
import type { CloneFacet } from '@holm/core'
import { createDisk, diskFile, loadDiskSize } from './disks.ts'
import { freezeDisk } from './freeze.ts'
import { createWith, draftRecord } from './lifecycle.ts'
import { withLock } from './lock.ts'
import type { Session } from './session.ts'
import { assertSupported } from './requirements.ts'

/** How long clones of one origin wait for each other: each takes some hundredths of a second. */
const waitMs = 60_000

/** A new disk over the origin's, which is frozen for it. The new environment has its own id, and with it its own network cards. */
export function createClone(session: Session): CloneFacet {
  return {
    clone: async (name, spec, ctx) => {
      assertNotAborted(ctx.signal)
      const { base } = await session.require(name)
      session.folder(spec.name)
      const wanted = { ...spec, base }
      await assertSupported(wanted)
      const draft = draftRecord(wanted)
      return createWith(session, draft, async () => {
        await withLock(session.folder(name), { name: `environment ${name}`, waitMs }, async () => {
          const { disk } = await freezeDisk(session, await session.require(name), ctx)
          const backing = { file: diskFile(session.layout, disk), format: 'qcow2' as const }
          const asked = spec.resources.diskBytes
          const sizeBytes =
            asked === undefined ? undefined : Math.max(asked, await loadDiskSize(backing.file))
          await createDisk(
            diskFile(session.layout, draft.disk),
            { backing, env: session.toolEnv, ...(sizeBytes === undefined ? {} : { sizeBytes }) },
            ctx,
          )
        })
        assertNotAborted(ctx.signal)
        return draft
      })
    },
  }
}
