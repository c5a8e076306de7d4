import { HolmError } from '@holm/core'
import type { ResizeFacet, Resources } from '@holm/core'
import type Docker from 'dockerode'
import type { Engine } from './engine.ts'
import { parseFailure } from './engine-errors.ts'
import { inspectEnvironment, requireContainer } from './lifecycle.ts'

/** What `POST /containers/<id>/update` takes; the library's types know an older engine. */
interface Update {
  readonly NanoCpus?: number
  readonly Memory?: number
  readonly MemorySwap?: number
  readonly PidsLimit?: number
}

/** Through the engine's own update: at once for what runs, and kept for the next start. */
export function resizeFacet(engine: Engine): ResizeFacet {
  return {
    resize: (name, resources, ctx) =>
      engine.use({ ctx, action: `resize ${name}`, environment: name }, async (docker) => {
        const info = await requireContainer(docker, { engine, name, ctx })
        assertNoDisk(resources)
        await update(docker, info.Id, updateOf(resources))
        return inspectEnvironment({ engine, name, ctx })
      }),
  }
}

function assertNoDisk({ diskBytes }: Resources): void {
  if (diskBytes === undefined) return
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    'docker cannot change the disk limit of an existing environment',
    { hint: 'Set `disk` in the blueprint and recreate the environment.' },
  )
}

/** Pure. Swap equal to memory, as at creation: the limit is the limit. */
export function updateOf({ cpus, memoryBytes, pids }: Resources): Update {
  return {
    ...(cpus !== undefined && { NanoCpus: Math.round(cpus * 1e9) }),
    ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(pids !== undefined && { PidsLimit: pids }),
  }
}

async function update(docker: Docker, id: string, wanted: Update): Promise<void> {
  try {
    await docker.getContainer(id).update(wanted)
  } catch (error) {
    const { message, status } = parseFailure(error)
    if (status === 404 && /^not found$/i.test(message)) throw withoutUpdate(error)
    // The kernel refuses a memory limit below what is used; the engine below its minimum.
    if (!/memory|cpus|pids/i.test(message) || !/busy|minimum|invalid|range|exceed/i.test(message)) throw error
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the engine refused the new limits: ${message}`, {
      hint: 'Ask for more, or stop the environment first.',
      cause: error,
    })
  }
}

/** The engine does not know the request itself: Podman before version 5. */
function withoutUpdate(cause: unknown): HolmError {
  return new HolmError(
    'HOLM_FACET_UNSUPPORTED',
    'this engine cannot change the limits of an existing environment',
    {
      hint: 'Set them in the blueprint and recreate the environment, or use Docker or Podman 5.',
      cause,
    },
  )
}
