import { assertNotAborted, facetNames } from '@holm/core'
import type { Facets, Provider, Traits } from '@holm/core'
import { createEnvironment } from './create.ts'
import { execInside } from './exec.ts'
import { createFacets } from './facets.ts'
import type { Faults, MemoryCall } from './faults.ts'
import { removeEnvironment, startEnvironment, stopEnvironment } from './lifecycle.ts'
import { absentState, createRuntime, stateOf, type MemoryOptions } from './runtime.ts'

/** A provider and the handles a test holds it by. */
export type MemoryProvider = Provider & {
  /** Every call, in order. */
  readonly calls: readonly MemoryCall[]
  /** Assign to make the next calls of a method fail, wait or hang. */
  readonly faults: Faults
  /** Folder of the environments' files on this machine. */
  readonly root: string
  /** Removes the temporary folder, if `createMemoryProvider` made one. */
  dispose(): Promise<void>
}

export const memoryTraits: Traits = {
  isolation: 'none',
  rootless: true,
  bases: ['image', 'rootfs', 'folder', 'host', 'build'],
  mounts: ['bind', 'volume', 'tmpfs'],
  limits: ['cpus', 'memory', 'disk', 'pids'],
  networks: ['default'],
  mapsPorts: true,
}

/**
 * A verified fake: environments are records in memory (or in one JSON file) and a folder each; it passes the same kit as
 * the real providers. `exec` really runs programs of this machine, without isolation: never give it what you would not run yourself.
 */
export function createMemoryProvider(options: MemoryOptions = {}): MemoryProvider {
  const runtime = createRuntime(options)
  const records = async () => Object.values((await runtime.store.read()).environments)
  return {
    id: runtime.id,
    traits: { ...memoryTraits, ...options.traits },
    probe: async (ctx) => {
      await runtime.enter('probe', ctx)
      return { usable: true, version: 'memory 1', limitations: ['nothing is isolated'], ...options.probe }
    },
    create: async (spec, ctx) => {
      await runtime.enter('create', ctx, spec.name)
      assertNotAborted(ctx.signal)
      return createEnvironment(runtime, { spec }, ctx)
    },
    inspect: async (name, ctx) => {
      await runtime.enter('inspect', ctx, name)
      const record = (await runtime.store.read()).environments[runtime.key(name)]
      return record ? stateOf(runtime, record) : absentState(runtime, name)
    },
    list: async (ctx) => {
      await runtime.enter('list', ctx)
      const own = (await records()).filter(({ namespace }) => namespace === runtime.namespace)
      return own.map((record) => stateOf(runtime, record))
    },
    start: (name, ctx) => startEnvironment(runtime, name, ctx),
    stop: (name, stopOptions, ctx) => stopEnvironment(runtime, { name, options: stopOptions }, ctx),
    exec: async (name, request, ctx) => {
      await runtime.enter('exec', ctx, name)
      return execInside(runtime, { record: await runtime.find(name), request }, ctx)
    },
    remove: (name, removeOptions, ctx) => removeEnvironment(runtime, { name, options: removeOptions }, ctx),
    ...chooseFacets(createFacets(runtime), options),
    calls: runtime.calls,
    faults: runtime.faults,
    root: runtime.folders.root,
    dispose: () => runtime.dispose(),
  }
}

function chooseFacets(facets: Facets, { facets: wanted = facetNames }: MemoryOptions): Partial<Facets> {
  return Object.fromEntries(Object.entries(facets).filter(([name]) => wanted.some((each) => each === name)))
}
