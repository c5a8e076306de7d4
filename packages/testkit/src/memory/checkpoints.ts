import type { Facets } from '@holm/core'
import { assertRunning, type MemoryRuntime } from './runtime.ts'
import { saveSnapshot } from './snapshots.ts'

/** Files are saved, and `restore` leaves it running; the memory of real processes cannot be saved by a fake. */
export function createCheckpoints(runtime: MemoryRuntime): Facets['checkpoints'] {
  return {
    create: async (name, snapshot, ctx) => {
      await runtime.enter('checkpoints.create', ctx, name)
      assertRunning(await runtime.find(name))
      return saveSnapshot(runtime, { name, snapshot, includesMemory: true })
    },
  }
}
