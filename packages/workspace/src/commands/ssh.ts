import { homedir } from 'node:os'
import { join } from 'node:path'
import type { CommandInput, CommandResult, PluginApi } from '@holm/core'
import type { WorkspaceConfig } from '../options.ts'
import { environmentOf, prefixes, renderConfig, type HostEntry } from '../ssh/config.ts'
import { openKeys, sshRequest, sshUser } from '../ssh/entry.ts'
import { includeConfig, writePrivate } from '../ssh/files.ts'
import type { PluginCommand } from './command.ts'
import { environmentWords } from './enter.ts'

type Api = PluginApi<WorkspaceConfig>

export const sshConfig: PluginCommand = {
  id: 'ssh-config',
  summary: 'Let ssh, scp, rsync and editors reach environments by name.',
  description:
    'Writes the names holm.NAME and ws.NAME for every environment, and one line into your own configuration of ssh that includes ' +
    'them; what was there is kept beside it. Connections go through holm exec: nothing listens, and no host key has to be believed. ' +
    'The environment needs sshd (package openssh-server).',
  flags: {
    remove: { type: 'boolean', description: 'Take the line out again.' },
    print: { type: 'boolean', description: 'Only show what would be included; change nothing of yours.' },
  },
  examples: [
    { command: 'holm ssh-config', description: 'Once, and again after new environments; then: ssh ws.NAME' },
    { command: 'holm ssh-config --remove', description: 'Undo it.' },
  ],
  async run(input, api) {
    const home = api.env['HOME'] ?? homedir()
    if (input.flags['remove'] === true) return describeRemoved(includeConfig(home, undefined))
    const path = join(api.paths.data, 'ssh.config')
    const hosts = await listHosts(input)
    const text = renderConfig({
      hosts,
      keys: await openKeys(api),
      holm: [process.execPath, process.argv[1] ?? 'holm'],
      env: ownVariables(api),
      forwardAgent: api.config.forwardAgent === true,
    })
    if (input.flags['print'] === true) return { data: { config: text }, text: text.trimEnd() }
    writePrivate(path, text)
    const included = includeConfig(home, path)
    const names = hosts.map(({ name }) => `${prefixes[1]}${name}`)
    const lines = [
      included.changed
        ? `${included.path} includes ${path} now`
        : `${included.path} includes ${path} already`,
      ...(included.backup === undefined ? [] : [`before  ${included.backup}`]),
      names.length === 0 ? 'There are no environments yet.' : `enter   ssh ${names.join(', ssh ')}`,
    ]
    return { data: { ...included, config: path, hosts }, text: lines.join('\n') }
  },
}

function describeRemoved({ path, changed, backup }: ReturnType<typeof includeConfig>): CommandResult {
  const text = changed ? `${path} includes nothing of holm any more` : `${path} includes nothing of holm`
  return { data: { path, changed, backup }, text }
}

/** What makes another holm see the same environments. */
function ownVariables({ env }: Api): Record<string, string> {
  const names = ['HOLM_HOME', 'HOLM_NAMESPACE', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'CONTAINERD_ADDRESS']
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]] as const] : [])))
}

async function listHosts({ host, signal }: CommandInput): Promise<HostEntry[]> {
  const environments = (await host.list({ all: true, signal })).filter(({ partOf }) => partOf === undefined)
  const entries = environments.map(async (environment) => ({
    name: environment.name,
    user: await sshUser(host.providers, environment),
  }))
  return Promise.all(entries)
}

export const sshProxy: PluginCommand = {
  id: 'ssh-proxy',
  summary: 'Be the connection of ssh to an environment.',
  hidden: true,
  args: [{ name: 'host', description: 'Name as ssh has it: ws.NAME.', required: true }],
  examples: [
    { command: 'ssh -o ProxyCommand="holm ssh-proxy %n" ws.web', description: 'What ssh-config writes.' },
  ],
  async run(input, api, workspaces) {
    const { host, signal } = input
    const environment = await host.status(environmentOf(input.args['host'] ?? ''), { signal })
    const lent = await workspaces.lendCredentials(environment.name, { signal })
    const { argv, env = {}, cwd = '/', user } = await sshRequest(api, host.providers, environment)
    const words = [
      '--no-tty',
      '--workdir',
      cwd,
      ...(user === undefined ? [] : ['--user', user]),
      ...environmentWords({ ...env, ...lent.env }),
    ]
    return { data: null, next: ['exec', environment.name, ...words, '--', ...argv] }
  },
}
