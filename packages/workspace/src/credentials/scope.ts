/** One place of a server that credentials may be asked for. */
export interface CredentialScope {
  readonly protocol: 'https' | 'http'
  /** With its port unless that is the protocol's own; lower case. */
  readonly host: string
  /** Decoded, without slashes at the ends; empty: all of the server. */
  readonly path: string
  readonly username?: string
}

/** What a program inside asks for, as git describes it. */
export interface CredentialRequest {
  readonly protocol: string
  readonly host: string
  readonly path: string
  readonly username: string | undefined
}

// What git's line protocol would read as another line, or a terminal would obey.
// oxlint-disable-next-line no-control-regex -- control characters are exactly what this looks for
const control = /[\u0000-\u001f\u007f]/

/**
 * The scope of a remote's URL; undefined for one that no password is sent to, or that is not plain. http only where the user named
 * it, or on this machine. A password in it is not kept, nor who has it: some servers take the token for the user.
 */
export function parseScope(url: string, { named }: { readonly named: boolean }): CredentialScope | undefined {
  if (!/^https?:\/\/[^/\s][^\s]*$/i.test(url) || !URL.canParse(url)) return undefined
  const { protocol, host, hostname, pathname, username, password } = new URL(url)
  if (protocol === 'http:' && !named && !isLoopback(hostname)) return undefined
  const path = decode(pathname)
  const user = decode(username)
  if (path === undefined || user === undefined) return undefined
  return {
    protocol: protocol === 'http:' ? 'http' : 'https',
    host,
    path: path.replaceAll(/^\/+|\/+$/g, ''),
    ...(user !== '' && password === '' && { username: user }),
  }
}

/** Undefined for what git must not be told (CVE-2020-5260). */
function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text)
    return control.test(decoded) ? undefined : decoded
  } catch {
    return undefined
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname)
}

/** As people read it; a password is not in it. */
export function formatScope({ protocol, host, path, username }: CredentialScope): string {
  return `${protocol}://${username === undefined ? '' : `${username}@`}${host}${path === '' ? '' : `/${path}`}`
}

/** Each once, in their order. */
export function uniqueScopes(scopes: readonly CredentialScope[]): CredentialScope[] {
  return [...new Map(scopes.map((scope) => [formatScope(scope), scope])).values()]
}

const known: ReadonlySet<string> = new Set(['protocol', 'host', 'path', 'username'])

/** Fields `name=value` of a request; undefined for one that git would not have written. */
export function parseRequest(fields: readonly string[]): CredentialRequest | undefined {
  const values = new Map<string, string>()
  for (const field of fields) {
    const [, name = '', value = ''] = /^([a-z]+)=(.*)$/s.exec(field) ?? []
    if (!known.has(name) || values.has(name) || control.test(value)) return undefined
    values.set(name, value)
  }
  const { protocol, host, path = '', username } = Object.fromEntries(values)
  return protocol === undefined || host === undefined ? undefined : { protocol, host, path, username }
}

/** The scope that a request is for. It alone says what is asked of this machine's git: nothing of the request gets there. */
export function findScope(
  scopes: readonly CredentialScope[],
  request: CredentialRequest,
): CredentialScope | undefined {
  const { protocol, username } = request
  const host = plainHost(request)
  const fitting = scopes.filter(
    (scope) =>
      scope.protocol === protocol &&
      scope.host === host &&
      isBelow(scope.path, request.path) &&
      (username === undefined || scope.username === undefined || scope.username === username),
  )
  return fitting.find((scope) => scope.username === username) ?? fitting[0]
}

/** As `parseScope` has it; undefined for what is no host. */
function plainHost({ protocol, host }: CredentialRequest): string | undefined {
  const url = `${protocol}://${host}/`
  return /^[\w.:[\]-]+$/.test(host) && URL.canParse(url) ? new URL(url).host : undefined
}

/** Servers take a repository with and without `.git`, and put what belongs to it (large files) below either. */
function isBelow(prefix: string, asked: string): boolean {
  const base = prefix.replace(/\.git$/, '')
  const path = asked.replaceAll(/^\/+|\/+$/g, '')
  if (base === '') return true
  return [base, `${base}.git`].some((each) => path === each || path.startsWith(`${each}/`))
}
