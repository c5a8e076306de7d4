import type { CommandInput, FlagDefinition } from '@holm/core'
import type { CreateOptions } from '../api.ts'
import { nameOf, textFlag, type WorkspaceCommand } from './command.ts'
import { idleFlag, idleOf } from './idle.ts'
import { parseResources } from './resources.ts'

/** How a workspace is made, of every command that makes some. */
export const createFlags = {
  from: { type: 'string', description: 'Branch, tag or commit to start from.' },
  blueprint: {
    type: 'string',
    char: 'b',
    description: "Blueprint instead of the worktree's own.",
    completes: 'blueprint',
  },
  provider: { type: 'string', char: 'p', description: 'Where to run it.', completes: 'provider' },
  cpus: { type: 'string', description: 'Number of cores, such as 1.5.' },
  sync: {
    type: 'boolean',
    description: 'Without a mount: copy the worktree in, and bring back what is done inside.',
  },
  memory: { type: 'string', description: 'Memory, such as 512mb or 4gb.' },
  docker: {
    type: 'boolean',
    description:
      'Give it a Docker engine of its own. On the provider docker it can then take over this machine; in a virtual machine (qemu, lima) it cannot.',
  },
  idle: idleFlag,
  'git-credentials': {
    type: 'boolean',
    description:
      "Let git in sessions use this machine's git credentials, for the remotes of the repository: nothing is copied in.",
  },
  'git-credentials-for': {
    type: 'string',
    multiple: true,
    description: 'The same for another place, too: https://example.org/team. Repeatable.',
  },
} as const satisfies Readonly<Record<string, FlagDefinition>>

export const create: WorkspaceCommand = {
  id: 'workspace create',
  aliases: ['ws create'],
  summary: 'Make a worktree with a branch and an environment of its own.',
  description:
    'The worktree is .worktree/NAME, its branch holm/NAME, the environment NAME. It starts from the newest commit of the branch ' +
    'that the main worktree is on, fetched first. git works inside, in your name; what git runs on this machine (its configuration and hooks) cannot be changed from inside.',
  args: [{ name: 'name', description: 'Name of the workspace.', required: true }],
  flags: createFlags,
  examples: [
    { command: 'holm workspace create fix', description: 'Start a task from the newest commit.' },
    {
      command: 'holm ws create try --from v1.2 --memory 4gb',
      description: 'Look at an old release, with more memory.',
    },
  ],
  async run(input, workspaces) {
    const info = await workspaces.create(nameOf(input), await optionsOf(input))
    return {
      data: info,
      text: [
        `${info.name} is ready on ${info.provider ?? '?'}: branch ${info.branch} at ${info.commit ?? '?'}`,
        `files  ${info.path}`,
        ...info.ports.map(({ host, container }) => `port   ${container} is http://127.0.0.1:${host}`),
        `enter  holm workspace shell ${info.name}`,
      ].join('\n'),
    }
  },
}

function credentialsOf({ flags }: CommandInput): CreateOptions['gitCredentials'] {
  const named = flags['git-credentials-for']
  if (Array.isArray(named) && named.length > 0) return named as readonly string[]
  return flags['git-credentials'] === true ? true : undefined
}

export async function optionsOf(input: CommandInput): Promise<CreateOptions> {
  const from = textFlag(input, 'from')
  const blueprint = textFlag(input, 'blueprint')
  const provider = textFlag(input, 'provider')
  const idleMs = idleOf(input)
  const gitCredentials = credentialsOf(input)
  const resources = await parseResources({ cpus: textFlag(input, 'cpus'), memory: textFlag(input, 'memory') })
  return {
    cwd: input.cwd,
    signal: input.signal,
    ...(input.flags['sync'] === true && { sync: true }),
    ...(input.flags['docker'] === true && { docker: true }),
    ...(from !== undefined && { from }),
    ...(blueprint !== undefined && { blueprint }),
    ...(provider !== undefined && { provider }),
    ...(resources && { resources }),
    ...(idleMs !== undefined && { idleMs }),
    ...(gitCredentials !== undefined && { gitCredentials }),
  }
}
