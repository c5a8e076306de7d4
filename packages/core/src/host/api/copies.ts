import type { HostApi } from '../../host-api.ts'
import type { HostContext } from '../context.ts'

type Healed = <T>(work: (host: HostContext) => Promise<T>) => Promise<T>

type Copies = Pick<
  HostApi,
  'build' | 'images' | 'update' | 'snapshots' | 'clone' | 'export' | 'import' | 'resize'
>

/** Golden images, snapshots, clones, archives. Their code is loaded when they are used: the hot path does without. */
export function createCopiesApi(sound: Healed): Copies {
  // Plugins that listen hear of these operations, too.
  const healed: Healed = (work) =>
    sound(async (host) => {
      await host.registry.loadForHooks(['onEvent'])
      return work(host)
    })
  return {
    build: async (options = {}) => {
      const { buildImage } = await import('../golden/build.ts')
      return healed((host) => buildImage(host, options))
    },
    images: createImagesApi(healed),
    update: async (name, options = {}) => {
      const { updateEnvironment } = await import('../copies/update.ts')
      return healed((host) => updateEnvironment(host, name, options))
    },
    snapshots: createSnapshotsApi(healed),
    clone: async (environment, name, options = {}) => {
      const { cloneEnvironments } = await import('../copies/clone.ts')
      return healed((host) => cloneEnvironments(host, { environment, name }, options))
    },
    async *export(environment, options = {}) {
      const { exportEnvironment } = await import('../copies/export.ts')
      yield* exportEnvironment(await healed(async (host) => host), environment, options)
    },
    import: async (archive, options = {}) => {
      const { importEnvironment } = await import('../copies/import.ts')
      return healed((host) => importEnvironment(host, archive, options))
    },
    resize: async (environment, resources, options = {}) => {
      const { resizeEnvironment } = await import('../copies/resize.ts')
      return healed((host) => resizeEnvironment(host, { environment, resources }, options))
    },
  }
}

function createImagesApi(healed: Healed): HostApi['images'] {
  const load = async () => (await import('../golden/images.ts')).imagesApi
  return {
    list: async (options = {}) => {
      const { list } = await load()
      return healed((host) => list(host, options))
    },
    show: async (name, options = {}) => {
      const { show } = await load()
      return healed((host) => show(host, name, options))
    },
    remove: async (name, options = {}) => {
      const { remove } = await load()
      return healed((host) => remove(host, name, options))
    },
    prune: async (options = {}) => {
      const { prune } = await load()
      return healed((host) => prune(host, options))
    },
  }
}

function createSnapshotsApi(healed: Healed): HostApi['snapshots'] {
  const load = async () => (await import('../copies/snapshots.ts')).snapshotsApi
  return {
    create: async (environment, options = {}) => {
      const { create } = await load()
      return healed((host) => create(host, environment, options))
    },
    list: async (environment, options = {}) => {
      const { list } = await load()
      return healed((host) => list(host, environment, options))
    },
    restore: async (environment, name, options = {}) => {
      const { restore } = await load()
      return healed((host) => restore(host, { environment, name }, options))
    },
    remove: async (environment, name, options = {}) => {
      const { remove } = await load()
      return healed((host) => remove(host, { environment, name }, options))
    },
  }
}
