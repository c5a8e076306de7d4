import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isHolmError } from '@holm/core'
import type { EnvironmentSpec, EnvironmentState, Probe, ProviderContext } from '@holm/core'
import type { Driver } from './incus/provider.ts'
import { resolveLayout } from './layout.ts'
import type { DriverName, LxcOptions } from './options.ts'

export interface ChoiceInput {
  readonly tools: Driver
  /** Loaded at first use: most machines never need it. */
  readonly incus: () => Promise<Driver>
  /** Whether a daemon's socket is there; asks nobody. */
  readonly hasSocket: () => boolean
  /** Why LXC's own tools cannot be used; undefined when they can. */
  readonly toolsProblem: () => Probe | undefined
  /** The plugin's own setting. */
  readonly configured: DriverName | undefined
  readonly paths: { readonly data: string }
  readonly namespace: string
}

/** One provider over two ways to run LXC containers. Which one an environment lives in is found, never guessed. */
export interface Choice {
  probe(ctx: ProviderContext): Promise<Probe>
  /** For a new environment: what its blueprint says, then the configuration, then what this machine has. */
  forSpec(spec: EnvironmentSpec): Promise<Driver>
  forName(name: string, ctx: ProviderContext): Promise<Driver>
  list(ctx: ProviderContext): Promise<readonly EnvironmentState[]>
}

export function createChoice(input: ChoiceInput): Choice {
  const { tools, incus, configured } = input
  // A daemon is asked about environments only where it ever was given one, or would be given the next.
  const mark = path.join(resolveLayout(input.paths.data, input.namespace).root, 'uses-incus')
  const preferred = (): DriverName =>
    configured ?? (input.toolsProblem() !== undefined && input.hasSocket() ? 'incus' : 'tools')
  const asksIncus = (): boolean => (preferred() === 'incus' || existsSync(mark)) && input.hasSocket()
  return {
    probe: async (ctx) => {
      if (preferred() === 'tools') return describeTools(await tools.probe(ctx), input)
      return describeIncus(await (await incus()).probe(ctx), input)
    },
    forSpec: async (spec) => {
      const asked = (spec.options['lxc'] as LxcOptions | undefined)?.driver ?? preferred()
      if (asked === 'tools') return tools
      mkdirSync(path.dirname(mark), { recursive: true, mode: 0o711 })
      writeFileSync(mark, '')
      return incus()
    },
    forName: async (name, ctx) => {
      if (!asksIncus()) return tools
      if ((await tools.inspect(name, ctx)).status !== 'absent') return tools
      return incus()
    },
    list: async (ctx) => {
      const mine = await tools.list(ctx)
      if (!asksIncus()) return mine
      try {
        return [...mine, ...(await (await incus()).list(ctx))]
      } catch (error) {
        if (preferred() === 'incus' || !isHolmError(error, 'HOLM_PROVIDER_UNAVAILABLE')) throw error
        ctx.log.warn(`environments of Incus or LXD are not listed: ${error.message}`)
        return mine
      }
    },
  }
}

function describeTools(probe: Probe, { configured, hasSocket }: ChoiceInput): Probe {
  if (!probe.usable || !hasSocket()) return probe
  const why = configured === 'tools' ? 'the configuration says so' : "LXC's own tools are there"
  return {
    ...probe,
    limitations: [
      ...probe.limitations,
      `There is a daemon of Incus or LXD, too, which is not used because ${why}; \`driver: incus\` in the lxc section of a blueprint uses it.`,
    ],
  }
}

function describeIncus(probe: Probe, { configured, toolsProblem }: ChoiceInput): Probe {
  const problem = toolsProblem()?.reason
  const why =
    configured === 'incus'
      ? 'the configuration says so'
      : (problem ?? 'they cannot be used').replace(/\.$/, '')
  if (!probe.usable)
    return {
      ...probe,
      reason: `Incus or LXD: ${probe.reason ?? 'not usable'}; LXC's own tools are not used because ${why}`,
    }
  return { ...probe, limitations: [...probe.limitations, `LXC's own tools are not used because ${why}.`] }
}
