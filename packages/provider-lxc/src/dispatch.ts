import type { Facets, ProviderContext } from '@holm/core'
import type { Choice } from './choose.ts'
import type { Driver } from './incus/provider.ts'

/** Every call goes to the driver that has the environment, a new one's to the driver that is chosen for it. */
export function dispatch(choice: Choice): Driver {
  const of = (name: string, ctx: ProviderContext): Promise<Driver> => choice.forName(name, ctx)
  return {
    probe: (ctx) => choice.probe(ctx),
    create: async (spec, ctx) => {
      // A name is one environment, whoever runs it.
      const owner = await of(spec.name, ctx)
      const taken = (await owner.inspect(spec.name, ctx)).status !== 'absent'
      return (taken ? owner : await choice.forSpec(spec)).create(spec, ctx)
    },
    inspect: async (name, ctx) => (await of(name, ctx)).inspect(name, ctx),
    list: (ctx) => choice.list(ctx),
    start: async (name, ctx) => (await of(name, ctx)).start(name, ctx),
    stop: async (name, options, ctx) => (await of(name, ctx)).stop(name, options, ctx),
    exec: async (name, request, ctx) => (await of(name, ctx)).exec(name, request, ctx),
    remove: async (name, options, ctx) => (await of(name, ctx)).remove(name, options, ctx),
    ...dispatchReading(of),
    ...dispatchCopying(of),
    resize: {
      resize: async (name, resources, ctx) => (await of(name, ctx)).resize.resize(name, resources, ctx),
    },
  }
}

type Find = (name: string, ctx: ProviderContext) => Promise<Driver>

function dispatchReading(of: Find): Pick<Facets, 'logs' | 'ports' | 'files' | 'metrics' | 'pause'> {
  return {
    logs: {
      async *read(name, options, ctx) {
        yield* (await of(name, ctx)).logs.read(name, options, ctx)
      },
    },
    ports: { list: async (name, ctx) => (await of(name, ctx)).ports.list(name, ctx) },
    files: {
      put: async (name, entry, ctx) => (await of(name, ctx)).files.put(name, entry, ctx),
      async *get(name, path, ctx) {
        yield* (await of(name, ctx)).files.get(name, path, ctx)
      },
    },
    metrics: { sample: async (name, ctx) => (await of(name, ctx)).metrics.sample(name, ctx) },
    pause: {
      pause: async (name, ctx) => (await of(name, ctx)).pause.pause(name, ctx),
      resume: async (name, ctx) => (await of(name, ctx)).pause.resume(name, ctx),
    },
  }
}

/** A clone lives where its origin does. */
function dispatchCopying(of: Find): Pick<Facets, 'snapshots' | 'clone' | 'export'> {
  return {
    snapshots: {
      create: async (name, snapshot, ctx) => (await of(name, ctx)).snapshots.create(name, snapshot, ctx),
      list: async (name, ctx) => (await of(name, ctx)).snapshots.list(name, ctx),
      restore: async (name, snapshot, ctx) => (await of(name, ctx)).snapshots.restore(name, snapshot, ctx),
      remove: async (name, snapshot, ctx) => (await of(name, ctx)).snapshots.remove(name, snapshot, ctx),
    },
    clone: { clone: async (name, spec, ctx) => (await of(name, ctx)).clone.clone(name, spec, ctx) },
    export: {
      async *rootfs(name, ctx) {
        yield* (await of(name, ctx)).export.rootfs(name, ctx)
      },
    },
  }
}
