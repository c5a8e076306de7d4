import { HolmError } from '@holm/core'
import type { Reference } from './reference.ts'

/** What a registry is asked with; `authorization` is for the registry named alone. */
export interface RegistrySettings {
  readonly reference: Reference
  readonly signal: AbortSignal
  /** "user:password" of this registry, if it is known. */
  readonly credentials?: string | undefined
}

/** Reads one repository of a registry over its HTTP API. */
export interface Registry {
  /** The answer of `/v2/<repository>/<path>`; HOLM_IMAGE_MISSING for anything but success. */
  get(path: string, accept?: readonly string[]): Promise<Response>
}

/** Milliseconds until a registry has to begin its answer. */
const answerWithinMs = 30_000

export function createRegistry(settings: RegistrySettings): Registry {
  const { registry, repository } = settings.reference
  const origin = `${schemeOf(registry)}://${registry === 'docker.io' ? 'registry-1.docker.io' : registry}`
  let authorization: string | undefined
  const ask = (path: string, accept: readonly string[]): Promise<Response> =>
    request(
      `${origin}/v2/${repository}/${path}`,
      { accept: accept.join(', ') || '*/*', ...(authorization !== undefined && { authorization }) },
      settings,
    )
  return {
    async get(path, accept = []) {
      let answer = await ask(path, accept)
      if (answer.status === 401) {
        await answer.body?.cancel()
        authorization = await authorize(answer.headers.get('www-authenticate') ?? '', settings)
        answer = await ask(path, accept)
      }
      if (answer.ok) return answer
      await answer.body?.cancel()
      throw missing(settings, `the registry answers ${answer.status} for ${path}`)
    },
  }
}

/** Pure: a registry of this machine speaks plain HTTP, as every container tool takes it. */
export function schemeOf(registry: string): 'http' | 'https' {
  const host = registry.replace(/:\d+$/, '')
  // A name may begin like an address.
  return /^(?:127(?:\.\d+){3}|localhost|\[::1\])$/.test(host) ? 'http' : 'https'
}

/** Deadline for the headers only: a layer may take longer than any guess. */
async function request(
  url: string,
  headers: Record<string, string>,
  settings: RegistrySettings,
): Promise<Response> {
  const late = new AbortController()
  const timer = setTimeout(
    () => late.abort(new Error(`no answer within ${answerWithinMs / 1000} s`)),
    answerWithinMs,
  )
  try {
    return await fetch(url, { headers, signal: AbortSignal.any([settings.signal, late.signal]) })
  } catch (error) {
    if (settings.signal.aborted) throw error
    throw missing(settings, reasonOf(error), error)
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } }
  return cause?.message || cause?.code || message || String(error)
}

/** Pure: scheme and parameters of a WWW-Authenticate header. */
export function parseChallenge(header: string): {
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
} {
  const [scheme = ''] = header.split(' ')
  const found = [...header.matchAll(/(\w+)="([^"]*)"/g)].map(
    ([, key = '', value = '']) => [key, value] as const,
  )
  return { scheme: scheme.toLowerCase(), parameters: Object.fromEntries(found) }
}

/** The header for the second try: the credentials themselves, or a token that a server gives for them. */
async function authorize(header: string, settings: RegistrySettings): Promise<string> {
  const { scheme, parameters } = parseChallenge(header)
  const basic =
    settings.credentials === undefined
      ? undefined
      : `Basic ${Buffer.from(settings.credentials).toString('base64')}`
  if (scheme === 'basic' && basic !== undefined) return basic
  const realm = parameters['realm']
  if (scheme !== 'bearer' || realm === undefined || !URL.canParse(realm))
    throw missing(settings, 'the registry asks for a login')
  const url = new URL(realm)
  if (parameters['service'] !== undefined) url.searchParams.set('service', parameters['service'])
  url.searchParams.set('scope', `repository:${settings.reference.repository}:pull`)
  const answer = await request(url.href, basic === undefined ? {} : { authorization: basic }, settings)
  if (!answer.ok) throw missing(settings, `the login server answers ${answer.status}`)
  const { token, access_token } = (await answer.json()) as { token?: string; access_token?: string }
  return `Bearer ${token ?? access_token ?? ''}`
}

function missing({ reference }: RegistrySettings, reason: string, cause?: unknown): HolmError {
  const name = `${reference.registry}/${reference.repository}:${reference.version}`
  return new HolmError(
    'HOLM_IMAGE_MISSING',
    `the image ${name} is not on this machine and could not be pulled: ${reason}`,
    {
      hint: 'Import it with `ctr -n holm images import <file>`, or give a root filesystem instead: `holm base add <name> <rootfs.tar>`.',
      cause,
      details: { reference: name, reason },
    },
  )
}

/** Pure: "user:password" of a registry in docker's configuration file, if it holds one. */
export function parseCredentials(config: string, registry: string): string | undefined {
  const names =
    registry === 'docker.io'
      ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io']
      : [registry, `https://${registry}`]
  try {
    const { auths } = JSON.parse(config) as { auths?: Record<string, { auth?: string }> }
    const auth = names.map((name) => auths?.[name]?.auth).find((each) => each !== undefined && each !== '')
    return auth === undefined ? undefined : Buffer.from(auth, 'base64').toString('utf8')
  } catch {
    return undefined
  }
}
