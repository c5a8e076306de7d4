import { posix } from 'node:path'
import type { ProviderContext } from '@holm/core'
import { configFolder } from './connection.ts'
import type { Engine } from './engine.ts'

export interface RegistryAuth {
  readonly username: string
  readonly password: string
  readonly serveraddress: string
}

interface CliConfig {
  readonly auths?: Readonly<Record<string, { readonly auth?: string }>>
  readonly credHelpers?: Readonly<Record<string, string>>
  readonly credsStore?: string
}

/** What `docker login` stored for this image's registry. A helper that fails means no login, as for the docker CLI. */
export async function registryAuth(
  engine: Engine,
  reference: string,
  ctx: ProviderContext,
): Promise<RegistryAuth | undefined> {
  const folder = configFolder(engine.env)
  const config = parseConfig(
    folder === undefined ? undefined : engine.readText(posix.join(folder, 'config.json')),
  )
  const key = registryKey(reference)
  const helper = config.credHelpers?.[key] ?? config.credsStore
  if (helper !== undefined) return helperAuth(helper, key, ctx)
  return parseAuth(key, config.auths?.[key]?.auth)
}

/** `docker.io` images log in under the hub's historical address. */
export function registryKey(reference: string): string {
  const [first = '', ...rest] = reference.split('/')
  const isHost = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost')
  return isHost && first !== 'docker.io' ? first : 'https://index.docker.io/v1/'
}

export function parseAuth(key: string, encoded: string | undefined): RegistryAuth | undefined {
  if (!encoded) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 1
    ? undefined
    : { username: text.slice(0, colon), password: text.slice(colon + 1), serveraddress: key }
}

async function helperAuth(
  helper: string,
  key: string,
  ctx: ProviderContext,
): Promise<RegistryAuth | undefined> {
  try {
    const result = await ctx.runner.run([`docker-credential-${helper}`, 'get'], {
      input: key,
      signal: ctx.signal,
      timeoutMs: 10_000,
    })
    if (result.code !== 0) return undefined
    const found = JSON.parse(result.stdout) as { Username?: string; Secret?: string }
    return found.Username && found.Secret
      ? { username: found.Username, password: found.Secret, serveraddress: key }
      : undefined
  } catch (error) {
    ctx.log.debug(`docker-credential-${helper}: ${String(error)}`)
    return undefined
  }
}

function parseConfig(text: string | undefined): CliConfig {
  try {
    return JSON.parse(text ?? '{}') as CliConfig
  } catch {
    return {}
  }
}
