import { HolmError } from '@holm/core'
import type { CommandInput } from '@holm/core'
import type { Workspaces } from '../api.ts'
import { defaultNameArg, nameOf, type WorkspaceCommand } from './command.ts'
import { describe } from './look.ts'

/** Words for holm's own command on the environment of a workspace, which must exist. */
async function onto(
  command: string,
  {
    input,
    workspaces,
    words = [],
  }: { input: CommandInput; workspaces: Workspaces; words?: readonly string[] },
): Promise<{ data: null; next: readonly string[] }> {
  const { name } = await workspaces.show(nameOf(input), { signal: input.signal })
  return { data: null, next: [command, name, ...words] }
}

/** The same for a session: what is lent for it ends with this holm. */
async function enter(
  command: string,
  { input, workspaces, words = [] }: Parameters<typeof onto>[1],
): Promise<{ data: null; next: readonly string[] }> {
  const { data, next } = await onto(command, { input, workspaces })
  const { env } = await workspaces.lendCredentials(next[1] ?? '', { signal: input.signal })
  return { data, next: [...next, ...environmentWords(env), ...words] }
}

/** For `holm exec` and `holm shell`. */
export function environmentWords(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`])
}

export const exec: WorkspaceCommand = {
  id: 'workspace exec',
  aliases: ['ws exec'],
  summary: 'Run a program in the environment of a workspace.',
  description: 'As holm exec does, with the name of the workspace.',
  args: [defaultNameArg],
  rest: { name: 'COMMAND', description: 'The program and its arguments.', required: true },
  examples: [{ command: 'holm ws exec fix -- npm test', description: 'Run the tests of the task.' }],
  run: (input, workspaces) => enter('exec', { input, workspaces, words: ['--', ...input.rest] }),
}

export const shell: WorkspaceCommand = {
  id: 'workspace shell',
  aliases: ['ws shell'],
  summary: 'Open a shell in the environment of a workspace.',
  args: [defaultNameArg],
  examples: [{ command: 'holm ws shell fix', description: 'Work on the task.' }],
  run: (input, workspaces) => enter('shell', { input, workspaces }),
}

export const logs: WorkspaceCommand = {
  id: 'workspace logs',
  aliases: ['ws logs'],
  summary: 'Show what the environment of a workspace wrote.',
  args: [defaultNameArg],
  flags: {
    follow: { type: 'boolean', char: 'f', description: 'Go on until it stops or Ctrl-C.' },
    tail: { type: 'integer', description: 'Only the last lines, this many.' },
  },
  examples: [{ command: 'holm ws logs fix -f', description: 'Follow it.' }],
  run(input, workspaces) {
    const { follow, tail } = input.flags
    const words = [
      ...(follow === true ? ['--follow'] : []),
      ...(tail === undefined ? [] : ['--tail', String(tail)]),
    ]
    return onto('logs', { input, workspaces, words })
  },
}

export const start: WorkspaceCommand = {
  id: 'workspace start',
  aliases: ['ws start'],
  summary: 'Bring the environment of a workspace up, anew when it is gone.',
  args: [defaultNameArg],
  examples: [{ command: 'holm ws start fix', description: 'Go on with a task.' }],
  run: async (input, workspaces) => describe(await workspaces.start(nameOf(input), { signal: input.signal })),
}

export const stop: WorkspaceCommand = {
  id: 'workspace stop',
  aliases: ['ws stop'],
  summary: 'Stop the environment of a workspace; nothing is lost.',
  args: [defaultNameArg],
  examples: [{ command: 'holm ws stop fix', description: 'Free its memory for now.' }],
  async run(input, workspaces) {
    const info = await workspaces.stop(nameOf(input), { signal: input.signal })
    if (info.status !== 'running') return describe(info)
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `the environment of ${info.name} still runs`, {
      hint: `See why: holm logs ${info.name}`,
    })
  },
}
