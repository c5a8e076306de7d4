import { HolmError } from '@holm/core'
import type { EnvironmentState, ResizeFacet, Resources } from '@holm/core'
import { packJson, resourcesType, specType, unpackJson } from './api.ts'
import type { Client } from './client.ts'
import type { Engine } from './engine.ts'
import { requireEnvironment, stateOf } from './environment.ts'
import type { Environment, Target } from './environment.ts'
import { parseFailure } from './failure.ts'
import { withEnvironmentLock } from './locks.ts'
import { loadMachine } from './machine.ts'
import type { OciSpec } from './oci-spec.ts'
import { packRecord } from './record.ts'
import type { EnvironmentRecord } from './record.ts'
import { limitsOf } from './resources.ts'

/** At once for what runs, and kept in the container for the next start. */
export function resizeFacet(engine: Engine): ResizeFacet {
  return {
    resize: (name, resources, ctx) => {
      const target = { engine, name, ctx }
      return engine.use({ ctx, action: `resize ${name}`, environment: name }, async (client) => {
        await requireEnvironment(client, name)
        return withEnvironmentLock(target, () => resizeLocked(client, target, resources))
      })
    },
  }
}

async function resizeLocked(
  client: Client,
  { name }: Target,
  resources: Resources,
): Promise<EnvironmentState> {
  const found = await requireEnvironment(client, name)
  if (resources.diskBytes !== undefined)
    throw unsupported('containerd cannot limit the disk of an environment')
  const limits = { ...found.record.limits, ...wantedOf(resources) }
  const wanted = limitsOf({ resources: resourcesOf(limits), machine: loadMachine() })
  const status = found.task?.status
  if (status === 'RUNNING' || status === 'PAUSED') await updateTask(client, found, wanted)
  const oci = unpackJson(found.container.spec) as OciSpec
  const linux = { ...oci.linux, resources: { ...oci.linux.resources, ...wanted } }
  const record: EnvironmentRecord = { ...found.record, limits }
  await client.call('Containers.Update', {
    container: {
      id: found.container.id,
      spec: packJson(specType, { ...oci, linux }),
      extensions: packRecord(record),
    },
    updateMask: { paths: ['spec', ...Object.keys(packRecord(record)).map((key) => `extensions.${key}`)] },
  })
  return stateOf({ ...found, record })
}

async function updateTask(client: Client, { container }: Environment, wanted: unknown): Promise<void> {
  try {
    const update = { containerId: container.id, resources: packJson(resourcesType, wanted) }
    await client.call('Tasks.Update', update)
  } catch (error) {
    // The kernel refuses a memory limit below what is used.
    const { message } = parseFailure(error)
    if (!/busy|invalid|out of range|exceed/i.test(message)) throw error
    throw unsupported(`the kernel refused the new limits: ${message}`, error)
  }
}

function unsupported(message: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', message, {
    hint: 'Ask for more, or stop the environment first.',
    cause,
  })
}

function wantedOf({ cpus, memoryBytes, pids }: Resources): EnvironmentRecord['limits'] {
  return {
    ...(cpus !== undefined && { cpus }),
    ...(memoryBytes !== undefined && { memory: memoryBytes }),
    ...(pids !== undefined && { pids }),
  }
}

function resourcesOf({ cpus, memory, pids }: EnvironmentRecord['limits']): Resources {
  return {
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(pids !== undefined && { pids }),
  }
}
