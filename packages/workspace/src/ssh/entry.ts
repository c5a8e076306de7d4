import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { EnvironmentInfo, ExecRequest, HostApi, PluginApi } from '@holm/core'
import type { WorkspaceConfig } from '../options.ts'
import { loadKeys, type SshKeys } from './keys.ts'
import { serve, serverOptions } from './server.ts'

type Api = PluginApi<WorkspaceConfig>
type Providers = HostApi['providers']
type Entered = Pick<EnvironmentInfo, 'provider' | 'user'>

export function openKeys({ paths, runner }: Api): Promise<SshKeys> {
  return loadKeys(join(paths.data, 'ssh'), runner)
}

/** Whom ssh is to be inside. */
export async function sshUser(providers: Providers, { provider, user }: Entered): Promise<string> {
  return user ?? ((await isOnlyCaller(providers, provider)) ? userInfo().username : 'root')
}

/** Where an environment is processes of this machine, there is nobody in it but the caller. */
async function isOnlyCaller(providers: Providers, provider: string): Promise<boolean> {
  const { traits } = await providers.show(provider)
  return traits?.isolation === 'process' || traits?.isolation === 'none'
}

/** What becomes an sshd for one connection, on its stdin and stdout. */
export async function sshRequest(
  api: Api,
  providers: Providers,
  { provider }: Entered,
): Promise<ExecRequest> {
  const keys = await openKeys(api)
  const options = serverOptions({ forwardAgent: api.config.forwardAgent === true })
  return {
    argv: ['/bin/sh', '-c', serve, 'holm-ssh', ...options],
    cwd: '/',
    stdin: 'pipe',
    env: { HOLM_SSH_HOST_KEY: keys.hostKey, HOLM_SSH_KEYS: keys.authorized },
    ...((await isOnlyCaller(providers, provider)) ? {} : { user: 'root' }),
  }
}
