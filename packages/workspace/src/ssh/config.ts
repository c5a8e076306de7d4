import { hostAlias, type SshKeys } from './keys.ts'

export interface HostEntry {
  readonly name: string
  /** Whom to be inside. */
  readonly user: string
}

export interface ConfigInput {
  readonly hosts: readonly HostEntry[]
  readonly keys: SshKeys
  /** Starts this holm: program and arguments. */
  readonly holm: readonly string[]
  /** Variables that make it the holm that it is. */
  readonly env: Readonly<Record<string, string>>
  readonly forwardAgent: boolean
}

/** Names by which ssh knows environments: `holm.web`, and `ws.web` for short. */
export const prefixes = ['holm.', 'ws.'] as const

/** The file that the user's own configuration includes. One entry for each environment, so that editors can list them. */
export function renderConfig({ hosts, keys, holm, env, forwardAgent }: ConfigInput): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const proxy = [...(variables.length === 0 ? [] : ['env', ...variables]), ...holm, 'ssh-proxy']
  const patterns = prefixes.map((prefix) => `${prefix}*`).join(' ')
  return [
    '# Written by holm; `holm ssh-config` writes it again.',
    ...hosts.flatMap(({ name, user }) => [
      `Host ${prefixes.map((prefix) => prefix + name).join(' ')}`,
      ...userLine(user),
    ]),
    `Host ${patterns}`,
    `  ProxyCommand ${proxy.map(quoteForShell).join(' ')} %n`,
    `  IdentityFile ${quote(keys.identity)}`,
    '  IdentitiesOnly yes',
    `  HostKeyAlias ${hostAlias}`,
    `  UserKnownHostsFile ${quote(keys.knownHosts)}`,
    '  StrictHostKeyChecking yes',
    '  CheckHostIP no',
    `  ForwardAgent ${forwardAgent ? 'yes' : 'no'}`,
    '',
  ].join('\n')
}

/** A blueprint says who it is, perhaps with a group, and may say anything: only a name gets into the user's configuration. */
function userLine(user: string): string[] {
  const [name = ''] = user.split(':')
  return /^\w[\w.-]*$/.test(name) ? [`  User ${name}`] : []
}

/** ssh reads `%` as a token, and hands the line to the user's shell. */
function quoteForShell(word: string): string {
  const escaped = word.replaceAll('%', '%%')
  return /^[\w@+:,./=%-]+$/.test(word) ? escaped : `'${escaped.replaceAll("'", "'\\''")}'`
}

function quote(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`
}

/** The environment that a name of ssh means. */
export function environmentOf(host: string): string {
  const prefix = prefixes.find((each) => host.startsWith(each))
  return prefix === undefined ? host : host.slice(prefix.length)
}

const begin = '# holm: begin'
const end = '# holm: end'

/** The user's configuration with or without the line that includes holm's. First in the file: later it would belong to a Host. */
export function withInclude(text: string, path: string | undefined): string {
  const start = text.indexOf(begin)
  const stop = text.indexOf(end)
  const rest =
    start === -1 || stop < start
      ? text
      : text.slice(0, start) + text.slice(stop + end.length).replace(/^\n+/, '')
  return path === undefined ? rest : `${begin}\nInclude ${quote(path)}\n${end}\n\n${rest}`
}
