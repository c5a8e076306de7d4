import type { EnvironmentState, ProviderContext } from '@holm/core'
import type { Engine } from './engine.ts'
import { findEnvironment, stateOf } from './environment.ts'
import type { Target } from './environment.ts'
import { label } from './names.ts'
import { absentState, parseRecord } from './record.ts'
import { releaseEnded } from './release.ts'

export async function inspectEnvironment({ engine, name, ctx }: Target): Promise<EnvironmentState> {
  return engine.use({ ctx, action: `inspect ${name}` }, async (client) => {
    const found = await findEnvironment(client, name)
    if (!found) return absentState(name)
    await releaseEnded(client, { engine, name, ctx }, found)
    return stateOf(found)
  })
}

/** Two calls, whatever the number of environments. */
export async function listEnvironments(
  engine: Engine,
  ctx: ProviderContext,
): Promise<readonly EnvironmentState[]> {
  return engine.use({ ctx, action: 'list environments' }, async (client) => {
    const [{ containers }, { tasks }] = await Promise.all([
      client.call('Containers.List', { filters: [`labels."${label.name}"`] }),
      client.call('Tasks.List', {}),
    ])
    // A task is listed under the id of its process, which is its container's.
    const byId = new Map(tasks.map((task) => [task.id || task.containerId, task]))
    const found = containers.flatMap((container) => {
      const record = parseRecord(container)
      return record ? [{ container, record, task: byId.get(container.id) }] : []
    })
    await Promise.all(
      found.map((each) => releaseEnded(client, { engine, name: each.record.name, ctx }, each)),
    )
    const states = await Promise.all(found.map(stateOf))
    return states.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  })
}
