import { existsSync } from 'node:fs'
import path from 'node:path'
import { HolmError, notRunning } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { resolveLayout } from '../layout.ts'
import { withLock } from '../lock.ts'
import { notFound } from '../session.ts'
import { isMissing } from './api-errors.ts'
import { createClient, type Client } from './client.ts'
import { instanceName, key } from './names.ts'
import type { Instance } from './record.ts'
import { findSocket, listSocketPlaces } from './socket.ts'
import { statusOf } from './state.ts'

export interface IncusSettings {
  readonly paths: { readonly data: string; readonly cache: string }
  readonly namespace: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly socket?: string | undefined
}

/** What the methods share. Nothing is connected before it is used. */
export interface IncusSession {
  readonly settings: IncusSettings
  readonly namespace: string
  /** HOLM_PROVIDER_UNAVAILABLE where there is no socket. */
  readonly client: () => Client
  readonly instance: (name: string) => string
  /** Undefined when there is none of this namespace. */
  readonly find: (name: string, ctx: ProviderContext) => Promise<Instance | undefined>
  /** HOLM_ENVIRONMENT_NOT_FOUND unless there is one. */
  readonly require: (name: string, ctx: ProviderContext) => Promise<Instance>
  /** HOLM_ENVIRONMENT_NOT_RUNNING unless programs can be put into it. */
  readonly requireRunning: (name: string, ctx: ProviderContext) => Promise<Instance>
  /** All of this namespace. */
  readonly list: (ctx: ProviderContext) => Promise<readonly Instance[]>
  /** One changing call of this user's holms for an environment at a time. */
  readonly locked: <T>(name: string, ctx: ProviderContext, work: () => Promise<T>) => Promise<T>
  readonly logFile: (name: string) => string
  readonly dispose: () => void
}

const lockWaitMs = 600_000

export function createIncusSession(settings: IncusSettings): IncusSession {
  const { namespace, env, socket: configured } = settings
  let client: Client | undefined
  const connect = (): Client => {
    const place = findSocket({ env, configured, exists: existsSync })
    if (place === undefined) throw noSocket(settings)
    return (client ??= createClient(place.path))
  }
  const instance = (name: string): string => instanceName(namespace, name)
  const find: IncusSession['find'] = async (name, ctx) => {
    try {
      const found = await connect().get<Instance>(pathOf(instance(name)), {
        signal: ctx.signal,
        action: `look at ${name}`,
      })
      return found.config[key.namespace] === namespace ? found : undefined
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
  const require: IncusSession['require'] = async (name, ctx) => {
    const found = await find(name, ctx)
    if (found === undefined) throw notFound(name)
    return found
  }
  return {
    settings,
    namespace,
    client: connect,
    instance,
    find,
    require,
    requireRunning: async (name, ctx) => {
      const found = await require(name, ctx)
      const status = statusOf(found)
      if (status === 'running') return found
      throw notRunning(name, status === 'paused' ? { status } : {})
    },
    list: async (ctx) => {
      const all = await connect().get<readonly Instance[]>('/1.0/instances?recursion=1', {
        signal: ctx.signal,
        action: 'list',
      })
      return all.filter(
        ({ config }) => config[key.namespace] === namespace && config[key.record] !== undefined,
      )
    },
    locked: (name, ctx, work) => {
      const file = path.join(resolveLayout(settings.paths.data, namespace).root, 'locks', `incus-${name}`)
      return withLock({ file, what: `environment ${name}`, waitMs: lockWaitMs, signal: ctx.signal }, work)
    },
    logFile: (name) => path.join(resolveLayout(settings.paths.data, namespace).root, 'logs', `${name}.log`),
    dispose: () => client?.dispose(),
  }
}

export function pathOf(instance: string, rest = ''): string {
  return `/1.0/instances/${instance}${rest}`
}

export function noSocket({ env, socket }: Pick<IncusSettings, 'env' | 'socket'>): HolmError {
  const places = listSocketPlaces({ env, configured: socket }).map((place) => place.path)
  return new HolmError(
    'HOLM_PROVIDER_UNAVAILABLE',
    `neither Incus nor LXD answers: there is no ${places.join(', ')}`,
    {
      hint: 'Install Incus or LXD (`apt-get install incus`), or use the tools of LXC (`apt-get install lxc`).',
    },
  )
}
