import type { ResizeFacet, Resources } from '@holm/core'
import { mustStop } from './failures.ts'
import { withLock } from './lock.ts'
import { unsupported } from './requirements.ts'
import type { Session } from './session.ts'
import { stateOf } from './state.ts'
import { requireStored, saveRecord, type Stored } from './store.ts'

/** The first Lima that grows the disk of an instance at its start. */
const diskVersion = '1.1.0'

/** The configuration of a stopped machine is changed; it holds from the next start on. */
export function createResize(session: Session): ResizeFacet {
  return {
    resize: async (name, resources, ctx) => {
      await requireStored(session, name)
      return withLock(session, name, async () => {
        const stored = await requireStored(session, name)
        assertPossible(stored, resources)
        if (resources.diskBytes !== undefined)
          await session.requireVersion(diskVersion, 'a new size of the disk', ctx)
        const { status } = await stateOf(session, stored, ctx)
        if (status === 'running') throw mustStop(name, 'resize')
        const record = { ...stored.record, resources: { ...stored.record.resources, ...resources } }
        return stateOf(session, await saveRecord(session, { ...stored, record }, ctx), ctx)
      })
    },
  }
}

/** Lima's own size of a disk that nobody named, bytes. */
const defaultDisk = 100 * 1024 ** 3

function assertPossible({ record }: Stored, { pids, diskBytes }: Resources): void {
  if (pids !== undefined)
    throw unsupported('a limit of processes', 'Leave `pids` out: a machine has its own kernel.')
  const old = record.resources.diskBytes ?? defaultDisk
  if (diskBytes !== undefined && diskBytes < old)
    throw unsupported(
      `a disk of ${diskBytes} bytes for ${record.name}: it has ${old}`,
      'A disk only grows: name a larger one.',
    )
}
