import type { Git } from '../git.ts'
import {
  findScope,
  formatScope,
  parseRequest,
  type CredentialRequest,
  type CredentialScope,
} from './scope.ts'

/** What this machine's git knows. */
export interface Credential {
  readonly username: string
  readonly password: string
  /** Seconds since 1970, where it has an end. */
  readonly expires: string | undefined
}

export interface Access {
  readonly outcome: 'given' | 'refused' | 'missing'
  /** Without any secret. */
  readonly message: string
}

export interface BrokerOptions {
  readonly scopes: readonly CredentialScope[]
  /** Undefined where there is none. */
  readonly fill: (scope: CredentialScope) => Promise<Credential | undefined>
  /** Told of every answer. */
  readonly note: (access: Access) => void
  /** Milliseconds, of a clock that never goes back. */
  readonly now?: () => number
}

/** Answers one request, its fields as they came from inside. The lines of the answer; undefined: whoever asks so is not heard any more. */
export type Broker = (fields: readonly string[]) => Promise<readonly string[] | undefined>

/** Of all requests of a session, in a minute. */
const mostAnswered = 60
const mostHeard = 600

export function createBroker({ scopes, fill, note, now = () => performance.now() }: BrokerOptions): Broker {
  const rate = createRate(now)
  const say = (outcome: Access['outcome'], message: string): readonly string[] => {
    note({ outcome, message: `git credentials ${message}` })
    return [`! git credentials ${message}`]
  }
  return async (fields) => {
    const count = rate()
    if (count > mostHeard) return undefined
    if (count > mostAnswered) {
      const message = `refused: more than ${mostAnswered} questions in a minute`
      return count === mostAnswered + 1 ? say('refused', message) : [`! git credentials ${message}`]
    }
    const request = parseRequest(fields)
    if (request === undefined) return say('refused', 'refused: the question is none of git')
    const scope = findScope(scopes, request)
    if (scope === undefined) return say('refused', `refused for ${nameOf(request)}: ${reasonFor(scopes)}`)
    const found = await fill(scope)
    const place = formatScope(scope)
    if (found === undefined) return say('missing', `missing: this machine's git has none for ${place}`)
    if (request.username !== undefined && request.username !== found.username)
      return say('refused', `refused for ${place}: they are of another user than was asked for`)
    // Without the user name: with some servers that is the token.
    note({ outcome: 'given', message: `git credentials given for ${place}` })
    return [
      `username=${found.username}`,
      `password=${found.password}`,
      ...(found.expires === undefined ? [] : [`password_expiry_utc=${found.expires}`]),
    ]
  }
}

/** How many there were in the last minute, this one included. */
function createRate(now: () => number): () => number {
  let times: number[] = []
  return () => {
    const at = now()
    times = [...times.filter((time) => at - time < 60_000).slice(-mostHeard), at]
    return times.length
  }
}

/** It was written inside: shortened, and without what a list of events need not show. */
function nameOf({ protocol, host, path }: CredentialRequest): string {
  return `${protocol}://${host}/${path}`.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 200)
}

function reasonFor(scopes: readonly CredentialScope[]): string {
  return scopes.length === 0
    ? 'the workspace was made for no remote with a password'
    : `the workspace was made for ${scopes.map(formatScope).join(', ')}`
}

/** How long a helper of this machine may take, milliseconds: it may ask its user to unlock it. */
const fillTimeoutMs = 40_000
const longest = 4096

/** Asks this machine's git: in no repository, so that nothing a workspace can write is obeyed, and with nobody to be asked at a terminal. */
export async function fillFrom(
  git: Git,
  { protocol, host, path, username }: CredentialScope,
): Promise<Credential | undefined> {
  const fields = { protocol, host, ...(path !== '' && { path }), ...(username !== undefined && { username }) }
  const input = Object.entries(fields).map(([name, value]) => `${name}=${value}\n`)
  const output = await git.ask('/', ['credential', 'fill'], {
    input: `${input.join('')}\n`,
    config: ['credential.interactive=false'],
    // Empty: also not the one of the configuration, or of ssh.
    env: { GIT_ASKPASS: '', SSH_ASKPASS: '', GCM_INTERACTIVE: 'never', GIT_CEILING_DIRECTORIES: '/' },
    timeoutMs: fillTimeoutMs,
  })
  return output === undefined ? undefined : parseCredential(output)
}

/** Only what is named: helpers also tell what renews a password, which is nothing for the inside. */
export function parseCredential(output: string): Credential | undefined {
  const values = new Map(
    output.split('\n').map((line) => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)] as const
    }),
  )
  const username = values.get('username')
  const password = values.get('password')
  const expires = values.get('password_expiry_utc')
  if (username === undefined || password === undefined) return undefined
  if ([username, password].some((value) => /[\r\0]/.test(value) || value.length > longest)) return undefined
  return { username, password, expires: expires !== undefined && /^\d+$/.test(expires) ? expires : undefined }
}
