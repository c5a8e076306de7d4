import type { LoadedBlueprint } from '../blueprint/index.ts'
import type { HostContext } from '../context.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { loadResolved } from './plan.ts'

/** A clone and an import were made without a blueprint. */
export function hasOwnSource({ source }: Pick<EnvironmentRecord, 'source'>): boolean {
  return !source.startsWith('clone:') && !source.startsWith('import:')
}

/** The blueprint that an environment with a source of its own was made from, as it is now. */
export function loadSource(
  host: HostContext,
  { source, project }: Pick<EnvironmentRecord, 'source' | 'project'>,
): Promise<LoadedBlueprint> {
  return loadResolved(host, source.replace(/^builtin:/, ''), project === '' ? host.cwd : project)
}
