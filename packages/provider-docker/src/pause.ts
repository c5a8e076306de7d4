import { notRunning } from '@holm/core'
import type { EnvironmentState, PauseFacet, ProviderContext } from '@holm/core'
import type { Engine } from './engine.ts'
import { requireContainer } from './lifecycle.ts'
import { parseInspect } from './parse.ts'

export function pauseFacet(engine: Engine): PauseFacet {
  return {
    pause: (name, ctx) => change(engine, { name, ctx, paused: true }),
    resume: (name, ctx) => change(engine, { name, ctx, paused: false }),
  }
}

interface Change {
  readonly name: string
  readonly ctx: ProviderContext
  readonly paused: boolean
}

async function change(engine: Engine, { name, ctx, paused }: Change): Promise<EnvironmentState> {
  return engine.use(
    { ctx, action: `${paused ? 'pause' : 'resume'} ${name}`, environment: name },
    async (docker) => {
      const target = { engine, name, ctx }
      const info = await requireContainer(docker, target)
      if (!info.State.Running) throw notRunning(name)
      if (info.State.Paused === paused) return parseInspect(info, name)
      const container = docker.getContainer(info.Id)
      await (paused ? container.pause() : container.unpause())
      return parseInspect(await container.inspect(), name)
    },
  )
}
