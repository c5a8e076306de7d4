import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { HostApi } from '../../host-api.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import { createTemplateFile, listBuiltins, toSpec, type LoadedBlueprint } from '../blueprint/index.ts'
import type { HostContext } from '../context.ts'
import { loadResolved } from '../environment/plan.ts'

export function createBlueprintsApi(host: HostContext): HostApi['blueprints'] {
  const load = async (reference: string | undefined, cwd = '.'): Promise<LoadedBlueprint> =>
    loadResolved(host, reference, await realpath(resolve(host.cwd, cwd)))
  return {
    list: () => listBuiltins({ paths: host.paths }),
    async show(reference, { cwd } = {}) {
      const loaded = await load(reference, cwd)
      return { blueprint: loaded.blueprint, spec: specOf(host, loaded).spec }
    },
    async validate(reference, { cwd } = {}) {
      const loaded = await load(reference, cwd)
      return { source: loaded.source, warnings: specOf(host, loaded).warnings }
    },
    init: (options) => createTemplateFile(options),
  }
}

/** The translation without a provider: the base stands as it was written, where it is a name. */
function specOf(host: HostContext, loaded: LoadedBlueprint): { spec: EnvironmentSpec; warnings: readonly string[] } {
  const reference = typeof loaded.base === 'string' ? loaded.base : undefined
  const base = reference === 'host' || reference === undefined ? ({ kind: 'host' } as const) : ({ kind: 'image', reference } as const)
  return toSpec(loaded, { base, env: host.env })
}
