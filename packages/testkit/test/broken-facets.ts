import type { Facets, PluginDefinition, PluginManifest, Provider } from '@holm/core'
import { memoryManifest, memoryPlugin } from '../src/memory/index.ts'
import type { Broken } from './broken.ts'

function facet<F extends keyof Facets>(provider: Provider, name: F): Facets[F] {
  const found: Partial<Facets> = provider
  return found[name] as Facets[F]
}

export const brokenFacets: readonly Broken[] = [
  {
    what: 'a facet is there and not declared',
    options: {
      manifest: {
        ...memoryManifest,
        facets: (memoryManifest.facets ?? []).filter((name) => name !== 'clone'),
      },
    },
    suites: ['manifest'],
    fails: ['manifest: facets are those of the manifest'],
  },
  {
    what: 'a facet is declared and not there',
    breakIt: ({ clone: _clone, ...provider }) =>
      ({ ...provider, clone: undefined }) as unknown as Partial<Provider>,
    suites: ['manifest', 'clone'],
    fails: [
      'manifest: facets are those of the manifest',
      'clone: a clone has the files, the new name and the new labels',
      'clone: clone and origin are independent',
      'clone: everything but the files is as the spec says',
      'clone: hostname and limits are those of the spec',
      'clone: several clones can be made at once',
      'clone: a taken name with other labels is a conflict',
      'clone: an unknown name is refused',
    ],
  },
  {
    what: 'traits differ from the manifest',
    breakIt: ({ traits }) => ({ traits: { ...traits, rootless: false } }),
    suites: ['manifest'],
    fails: ['manifest: traits are those of the manifest'],
  },
  {
    what: 'the manifest is of another contract',
    options: { manifest: { ...memoryManifest, contract: 2 } satisfies PluginManifest },
    suites: ['manifest'],
    fails: ['manifest: the manifest is complete'],
  },
  {
    what: 'the plugin registers another id',
    options: {
      plugin: {
        ...memoryPlugin,
        setup: (api) => void api.provide('provider', 'other', () => ({ id: 'other' }) as Provider),
      } satisfies PluginDefinition,
    },
    suites: ['manifest'],
    fails: [
      'manifest: setup registers what the manifest announces, and nothing else',
      'manifest: what it provides has the id of the manifest',
    ],
  },
  {
    what: 'logs ignore tail',
    breakIt: (provider) => ({
      logs: {
        read: (name, { follow }, ctx) => facet(provider, 'logs').read(name, { follow }, ctx),
      },
    }),
    suites: ['logs'],
    fails: ['logs: tail gives the last lines only'],
  },
  {
    what: 'ports of a stopped environment stay',
    breakIt: (provider) => {
      const known = new Map<string, Awaited<ReturnType<Facets['ports']['list']>>>()
      return {
        ports: {
          list: async (name, ctx) => {
            const found = await facet(provider, 'ports').list(name, ctx)
            if (found.length > 0) known.set(name, found)
            return known.get(name) ?? found
          },
        },
      }
    },
    suites: ['ports'],
    fails: ['ports: a stopped environment has none, and gets them again'],
  },
  {
    what: 'pause only says so',
    breakIt: (provider) => ({
      pause: {
        pause: async (name, ctx) => ({ ...(await provider.inspect(name, ctx)), status: 'paused' }),
        resume: async (name, ctx) => provider.inspect(name, ctx),
      },
    }),
    suites: ['pause'],
    fails: [
      'pause: pause freezes and resume thaws, memory kept',
      'pause: exec in a paused environment is refused',
      'pause: a stopped environment is refused',
      'pause: an unknown name is refused',
    ],
  },
  {
    what: 'restore puts nothing back',
    breakIt: (provider) => ({
      snapshots: {
        ...facet(provider, 'snapshots'),
        restore: (name, _snapshot, ctx) => provider.stop(name, { graceMs: 0 }, ctx),
      },
    }),
    suites: ['snapshots'],
    fails: [
      'snapshots: restore puts the files back and leaves it stopped',
      'snapshots: a stopped environment can be saved, too',
      'snapshots: an unknown name is refused',
    ],
  },
  {
    what: 'a clone is empty',
    breakIt: (provider) => ({ clone: { clone: (_name, spec, ctx) => provider.create(spec, ctx) } }),
    suites: ['clone'],
    fails: [
      'clone: a clone has the files, the new name and the new labels',
      'clone: an unknown name is refused',
    ],
  },
  {
    what: 'metrics are always zero',
    breakIt: () => ({ metrics: { sample: async () => ({ cpuPercent: 0, memoryBytes: 0, processes: 0 }) } }),
    suites: ['metrics'],
    fails: [
      'metrics: a sample is measured and plausible',
      'metrics: a busy program shows',
      'metrics: an unknown name is refused',
    ],
  },
  {
    what: 'files drop the mode',
    breakIt: (provider) => ({
      files: {
        get: facet(provider, 'files').get,
        put: async (name, entry, ctx) => {
          await facet(provider, 'files').put(name, entry, ctx)
          const child = await provider.exec(name, { argv: ['chmod', '-R', 'a=rx', '.'], cwd: '/root' }, ctx)
          child.stdout.resume()
          child.stderr.resume()
          await child.exited
        },
      },
    }),
    suites: ['files'],
    fails: [
      'files: what is put in arrives with content, mode and awkward names',
      'files: it works while the environment is stopped',
    ],
  },
  {
    what: 'a checkpoint is restored to a stop',
    breakIt: (provider) => ({
      snapshots: {
        ...facet(provider, 'snapshots'),
        restore: async (name, snapshot, ctx) => {
          await facet(provider, 'snapshots').restore(name, snapshot, ctx)
          return provider.stop(name, { graceMs: 0 }, ctx)
        },
      },
    }),
    suites: ['checkpoints'],
    fails: [
      'checkpoints: restore puts the files back and leaves it running',
      'checkpoints: a stopped environment can be restored to it',
    ],
  },
  {
    what: 'a checkpoint is only a snapshot',
    breakIt: (provider) => ({ checkpoints: { create: facet(provider, 'snapshots').create } }),
    suites: ['checkpoints'],
    fails: [
      'checkpoints: restore puts the files back and leaves it running',
      'checkpoints: a stopped environment can be restored to it',
      'checkpoints: it is listed and removed with the snapshots',
      'checkpoints: a stopped environment is refused',
    ],
  },
  {
    what: 'an export follows mounts',
    breakIt: (provider) => ({
      export: {
        rootfs: async function* (name, ctx) {
          const child = await provider.exec(
            name,
            { argv: ['tar', '-chf', '-', '--numeric-owner', '.'], cwd: '/' },
            ctx,
          )
          child.stderr.resume()
          yield* child.stdout as AsyncIterable<Uint8Array>
        },
      },
    }),
    suites: ['export'],
    fails: [
      'export: files, modes, owners, links and awkward names are in the tar',
      'export: contents of mounts are left out',
      'export: running and stopped give the same files',
      'export: an abort ends it',
    ],
  },
  {
    what: 'resize only says so',
    breakIt: (provider) => ({
      resize: {
        resize: async (name, { pids }, ctx) => {
          const state = await provider.inspect(name, ctx)
          const limits = state.limits.map((each) =>
            each.name === 'pids' && pids !== undefined ? { ...each, value: pids } : each,
          )
          return { ...state, limits }
        },
      },
    }),
    suites: ['resize'],
    fails: [
      'resize: a new limit is applied, told and kept, and the others stay',
      'resize: an unknown name is refused',
    ],
  },
  {
    what: 'a network is made and nobody can tell',
    breakIt: (provider) => ({
      create: (spec, ctx) => provider.create({ ...spec, network: 'default' }, ctx),
    }),
    suites: ['network'],
    fails: ['network: an unknown network is refused, or made and removed with its last environment'],
  },
]
