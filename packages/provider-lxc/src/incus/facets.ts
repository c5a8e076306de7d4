import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, notRunning } from '@holm/core'
import type {
  EnvironmentState,
  MetricsFacet,
  PauseFacet,
  ProviderContext,
  ResizeFacet,
  Resources,
} from '@holm/core'
import { limitKeys } from './build.ts'
import { changeState } from './lifecycle.ts'
import { key } from './names.ts'
import { parseRecord } from './record.ts'
import { pathOf, type IncusSession } from './session.ts'
import { parseState, statusOf } from './state.ts'

const intervalMs = 150

interface Usage {
  readonly processes: number
  readonly cpu: { readonly usage: number }
  readonly memory: { readonly usage: number }
}

export function createMetrics(session: IncusSession): MetricsFacet {
  const measure = async (instance: string, { signal }: ProviderContext): Promise<Usage & { at: number }> => {
    const usage = await session.client().get<Usage>(pathOf(instance, '/state'), { signal })
    return { ...usage, at: performance.now() }
  }
  return {
    sample: async (name, ctx) => {
      const instance = await session.requireRunning(name, ctx)
      const before = await measure(instance.name, ctx)
      await sleep(intervalMs, undefined, { signal: ctx.signal })
      const after = await measure(instance.name, ctx)
      const { memoryBytes } = parseRecord(instance).resources
      const limited = parseState(instance).limits.some(
        (limit) => limit.name === 'memory' && limit.enforcedBy !== null,
      )
      return {
        // Nanoseconds over milliseconds.
        cpuPercent: Math.max(0, (after.cpu.usage - before.cpu.usage) / (after.at - before.at) / 1e4),
        memoryBytes: after.memory.usage,
        ...(limited && memoryBytes !== undefined ? { memoryLimitBytes: memoryBytes } : {}),
        processes: Math.max(0, after.processes),
      }
    },
  }
}

export function createPause(session: IncusSession): PauseFacet {
  const change =
    (action: 'freeze' | 'unfreeze') =>
    async (name: string, ctx: ProviderContext): Promise<EnvironmentState> => {
      await session.require(name, ctx)
      return session.locked(name, ctx, async () => {
        const instance = await session.require(name, ctx)
        const status = statusOf(instance)
        if (status !== 'running' && status !== 'paused') throw notRunning(name)
        if ((status === 'paused') !== (action === 'freeze'))
          await changeState(session, instance.name, { action })
        return parseState(await session.require(name, ctx))
      })
    }
  return { pause: change('freeze'), resume: change('unfreeze') }
}

/** The daemon writes new limits into the control groups of what runs. */
export function createResize(session: IncusSession): ResizeFacet {
  return {
    resize: async (name, resources, ctx) => {
      await session.require(name, ctx)
      return session.locked(name, ctx, () => resizeLocked(session, { name, resources }, ctx))
    },
  }
}

async function resizeLocked(
  session: IncusSession,
  { name, resources }: { readonly name: string; readonly resources: Resources },
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  if (resources.diskBytes !== undefined)
    throw new HolmError(
      'HOLM_BLUEPRINT_UNSUPPORTED',
      'lxc cannot change the limit disk here: nothing enforces it',
      {
        hint: 'Leave it out, or use another provider.',
      },
    )
  const instance = await session.require(name, ctx)
  const record = parseRecord(instance)
  const next = { ...record, resources: { ...record.resources, ...resources } }
  const config = { ...limitKeys(next.resources), [key.record]: JSON.stringify(next) }
  await session
    .client()
    .change({ method: 'PATCH', path: pathOf(instance.name), body: { config } }, { action: `resize ${name}` })
  return parseState(await session.require(name, ctx))
}
