import { isHolmError } from '@holm/core'
import type { CallOptions, HostApi, PluginApi } from '@holm/core'
import type { LentCredentials, Workspaces } from '../api.ts'
import { createGit } from '../git.ts'
import type { WorkspaceConfig } from '../options.ts'
import type { WorkspaceRecord } from '../record.ts'
import { createBroker, fillFrom } from './broker.ts'
import { openChannel, type Channel } from './channel.ts'
import type { CredentialScope } from './scope.ts'

type Api = PluginApi<WorkspaceConfig>

const nothing: LentCredentials = { env: {}, close: () => Promise.resolve() }

/** Workspaces that lend git credentials of this machine to programs inside; what was not given back ends with the plugin. */
export function withCredentials(
  api: Api,
  host: HostApi,
  workspaces: Omit<Workspaces, 'lendCredentials'>,
): Workspaces {
  const open = new Set<Channel>()
  const giveBack = async (channel: Channel): Promise<void> => {
    if (open.delete(channel)) await channel.close()
  }
  api.onDispose(async () => void (await Promise.all([...open].map(giveBack))))
  return {
    ...workspaces,
    async lendCredentials(name, options = {}) {
      const scopes = api.records<WorkspaceRecord>('workspace').get(name)?.gitCredentials
      if (scopes === undefined) return nothing
      try {
        const channel = await lend({ api, host, name, scopes }, options)
        open.add(channel)
        return { env: channel.env, close: () => giveBack(channel) }
      } catch (error) {
        // What follows says it again, and cannot be helped.
        if (isHolmError(error, 'HOLM_INTERRUPTED')) throw error
        if (!isHolmError(error, 'HOLM_ENVIRONMENT_NOT_RUNNING'))
          api.log.warn(`there are no git credentials inside ${name}: ${(error as Error).message}`)
        return nothing
      }
    },
  }
}

interface Lending {
  readonly api: Api
  readonly host: HostApi
  readonly name: string
  readonly scopes: readonly CredentialScope[]
}

function lend({ api, host, name, scopes }: Lending, { signal, onEvent }: CallOptions): Promise<Channel> {
  const git = createGit(api.runner, api.env)
  const broker = createBroker({
    scopes,
    // Why this machine's git failed may hold anything: it is not passed on.
    fill: (scope) => fillFrom(git, scope).catch(() => undefined),
    note: (access) => api.note({ type: 'access', environment: name, ...access }),
  })
  return openChannel({
    exec: (request) =>
      host.exec({ ...request, environment: name, ...(signal && { signal }), ...(onEvent && { onEvent }) }),
    broker,
    onLost: (reason) => {
      if (!signal?.aborted) api.log.warn(`git credentials are not there any more inside ${name}: ${reason}`)
    },
  })
}
