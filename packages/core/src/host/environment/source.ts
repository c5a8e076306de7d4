import type { LoadedBlueprint } from '../blueprint/index.ts'
import type { HostContext } from '../context.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { loadResolved } from './plan.ts'

/** A clone, an import and a service were made without a blueprint of their own. */
export function hasOwnSource({ source }: Pick<EnvironmentRecord, 'source'>): boolean {
  return !/^(?:clone|import|service):/.test(source)
}

/** The blueprint that an environment with a source of its own was made from, as it is now. */
export function loadSource(
  host: HostContext,
  { source, project }: Pick<EnvironmentRecord, 'source' | 'project'>,
): Promise<LoadedBlueprint> {
  return loadResolved(host, source.replace(/^builtin:/, ''), project === '' ? host.cwd : project)
}
