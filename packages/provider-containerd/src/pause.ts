import { notRunning } from '@holm/core'
import type { EnvironmentState, PauseFacet, ProviderContext } from '@holm/core'
import type { Engine } from './engine.ts'
import { findTask, requireEnvironment, stateOf } from './environment.ts'

export function pauseFacet(engine: Engine): PauseFacet {
  return {
    pause: (name, ctx) => change(engine, { name, ctx, call: 'Tasks.Pause' }),
    resume: (name, ctx) => change(engine, { name, ctx, call: 'Tasks.Resume' }),
  }
}

interface Change {
  readonly name: string
  readonly ctx: ProviderContext
  readonly call: 'Tasks.Pause' | 'Tasks.Resume'
}

async function change(engine: Engine, { name, ctx, call }: Change): Promise<EnvironmentState> {
  const action = `${call === 'Tasks.Pause' ? 'pause' : 'resume'} ${name}`
  return engine.use({ ctx, action, environment: name }, async (client) => {
    const found = await requireEnvironment(client, name)
    const status = found.task?.status
    if (status !== 'RUNNING' && status !== 'PAUSED') throw notRunning(name)
    if (status === (call === 'Tasks.Pause' ? 'PAUSED' : 'RUNNING')) return stateOf(found)
    const containerId = found.container.id
    await client.call(call, { containerId })
    return stateOf({ ...found, task: await findTask(client, containerId) })
  })
}
