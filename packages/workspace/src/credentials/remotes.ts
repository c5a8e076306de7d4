import { HolmError } from '@holm/core'
import type { Git } from '../git.ts'
import { parseScope, uniqueScopes, type CredentialScope } from './scope.ts'

/** What `--git-credentials-for` and the configuration name. HOLM_USAGE for what is no address of a server. */
export function parseNamed(url: string): CredentialScope {
  const scope = parseScope(url, { named: true })
  if (scope !== undefined) return scope
  throw new HolmError('HOLM_USAGE', `${JSON.stringify(url)} is no address that git credentials are for`, {
    hint: 'Name a server, or a place on it: https://example.org/team',
    details: { url },
  })
}

/**
 * The places that the repository pushes to and fetches from with a password, as its configuration has them and as git makes them of it, and what the user
 * named besides. Written down when the workspace is made: what changes later changes nothing for it.
 */
export async function scopesOf(
  git: Git,
  repository: string,
  named: readonly string[],
): Promise<CredentialScope[]> {
  const written = await git.ask(repository, [
    'config',
    '-z',
    '--get-regexp',
    String.raw`^remote\..*\.(push)?url$`,
  ])
  const resolved = await git.ask(repository, ['remote', '--verbose'])
  const urls = [
    ...(written ?? '').split('\0').map((entry) => entry.slice(entry.indexOf('\n') + 1)),
    ...(resolved ?? '')
      .split('\n')
      .map((line) => line.slice(line.indexOf('\t') + 1).replace(/ \((?:fetch|push)\).*$/, '')),
  ]
  const scopes = urls.flatMap((url) => parseScope(url, { named: false }) ?? [])
  return uniqueScopes([...scopes, ...named.map(parseNamed)])
}

export interface CredentialPlan {
  readonly gitCredentials?: boolean | readonly string[]
  /** As the configuration has it. */
  readonly configured: boolean | readonly string[] | undefined
  readonly sync?: boolean
}

/** What a new workspace is made for; undefined: for none. HOLM_USAGE where what was asked for cannot be. */
export async function planCredentials(
  git: Git,
  repository: string,
  { gitCredentials, configured = false, sync = false }: CredentialPlan,
): Promise<readonly CredentialScope[] | undefined> {
  const wanted = gitCredentials ?? configured
  if (wanted === false) return undefined
  if (sync) {
    if (gitCredentials === undefined) return undefined
    throw new HolmError('HOLM_USAGE', 'git credentials are for a worktree that is mounted, not for --sync', {
      hint: 'Leave out --git-credentials, or --sync.',
    })
  }
  // What the configuration names holds besides what the command names.
  const named = [wanted, configured].flatMap((each) => (typeof each === 'boolean' ? [] : each))
  return scopesOf(git, repository, named)
}
