import type { Facets, LimitName, Resources } from '@holm/core'
import { stateOf, type MemoryRuntime } from './runtime.ts'

const keys: Readonly<Record<LimitName, keyof Resources>> = {
  cpus: 'cpus',
  memory: 'memoryBytes',
  disk: 'diskBytes',
  pids: 'pids',
}

/** The limits that `resources` asks for. The fake enforces nothing, and says so. */
export function limitsOf(resources: Resources): { name: LimitName; value: number; enforcedBy: null }[] {
  return (Object.keys(keys) as LimitName[]).flatMap((name) => {
    const value = resources[keys[name]]
    return value === undefined ? [] : [{ name, value, enforcedBy: null }]
  })
}

export function createResize(runtime: MemoryRuntime): Facets['resize'] {
  return {
    resize: async (name, resources, ctx) => {
      await runtime.enter('resize.resize', ctx, name)
      const record = await runtime.change(name, (each) => {
        const fresh = limitsOf(resources)
        const kept = each.limits.filter((old) => !fresh.some((limit) => limit.name === old.name))
        each.limits = [...kept, ...fresh]
      })
      return stateOf(runtime, record)
    },
  }
}
