import path from 'node:path'
import { abortError, assertNotAborted } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { createClient } from './client.ts'
import type { Client } from './client.ts'
import { explain } from './failure.ts'
import { identifier } from './names.ts'

export const defaultAddress = '/run/containerd/containerd.sock'

/** One containerd and one namespace of it. Connected and loaded at first use. */
export interface Engine {
  /** containerd's namespace; holm's by the same name. */
  readonly namespace: string
  readonly address: string
  /** Folder of this provider and namespace; everything that is not in containerd is below it. */
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number | undefined
  /** The caller's ids, to give an environment's user. */
  readonly callerIds: { readonly uid: number; readonly gid: number } | undefined
  client(): Promise<Client>
  /** Runs `call`; whatever it throws becomes a HolmError that says what was being done. */
  use<T>(request: EngineRequest, call: (client: Client) => Promise<T>): Promise<T>
  dispose(): void
}

export interface EngineRequest {
  readonly ctx: Pick<ProviderContext, 'signal'>
  readonly action: string
  readonly environment?: string
}

export interface EngineSettings {
  readonly namespace: string
  /** Folder for data of this installation of holm. */
  readonly data: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Wins over CONTAINERD_ADDRESS. */
  readonly address?: string | undefined
  readonly caller?: { readonly uid: number; readonly gid: number } | undefined
}

export function createEngine(settings: EngineSettings): Engine {
  const { env, caller } = settings
  const address = (settings.address ?? env['CONTAINERD_ADDRESS'] ?? defaultAddress).replace(/^unix:\/\//, '')
  const namespace = identifier(settings.namespace)
  let loading: Promise<Client> | undefined
  const client = (): Promise<Client> => (loading ??= createClient({ address, namespace }))
  return {
    namespace,
    address,
    folder: path.join(settings.data, 'containerd', namespace),
    env,
    uid: caller?.uid,
    callerIds: caller && caller.uid !== 0 ? caller : undefined,
    client,
    async use({ ctx, action, environment }, call) {
      assertNotAborted(ctx.signal)
      const connected = await client()
      try {
        return await call(connected)
      } catch (error) {
        if (ctx.signal.aborted) throw abortError(ctx.signal)
        throw explain(error, { action, environment, address })
      }
    },
    dispose: () => void loading?.then((connected) => connected.close()).catch(() => {}),
  }
}
