import { HolmError } from '@holm/core'
import type { CommandResult } from '@holm/core'
import type { PluginCommand } from './command.ts'
import { useVariable } from './default.ts'

export const use: PluginCommand = {
  id: 'workspace use',
  aliases: ['ws use'],
  summary: 'Choose the workspace that commands of this shell mean without a name.',
  description:
    `No program can change the shell that started it: with --shell this prints what the shell is to run, which sets ${useVariable}. ` +
    'Commands of workspaces and services then need no name; holm workspace delete always does. The name "-" ends it.',
  args: [
    {
      name: 'name',
      description: 'Name of the workspace; "-": none any more; absent: tell which one is in use.',
      completes: 'environment',
    },
  ],
  flags: {
    shell: { type: 'boolean', description: 'Print the line for eval, as the shell in $SHELL wants it.' },
    clear: { type: 'boolean', description: 'The same as the name "-".' },
  },
  examples: [
    {
      command: 'eval "$(holm workspace use fix --shell)"',
      description: 'In bash, zsh and sh; then: holm ws exec -- npm test',
    },
    { command: 'holm workspace use fix --shell | source', description: 'In fish.' },
    { command: 'holm workspace use', description: 'Which one is in use?' },
  ],
  async run({ args, flags }, { env }, workspaces) {
    const given = flags['clear'] === true ? '-' : args['name']
    const wanted = given === '-' ? undefined : (given ?? env[useVariable])
    if (wanted !== undefined)
      assertThere(
        wanted,
        workspaces.records().map(({ name }) => name),
      )
    if (flags['shell'] === true)
      return { data: { name: wanted ?? null }, text: lineFor(wanted, env['SHELL']) }
    if (given === undefined) return describeUsed(wanted)
    const words = `holm workspace use ${given} --shell`
    const how = isFish(env['SHELL']) ? `${words} | source` : `eval "$(${words})"`
    return { data: { name: wanted ?? null, run: how }, text: `let this shell do it: ${how}` }
  },
}

function assertThere(name: string, names: readonly string[]): void {
  if (names.includes(name)) return
  throw new HolmError('HOLM_WORKSPACE_NOT_FOUND', `there is no workspace ${JSON.stringify(name)}`, {
    hint: names.length === 0 ? 'Make one: holm workspace create NAME' : `There are: ${names.join(', ')}`,
    details: { name },
  })
}

function describeUsed(name: string | undefined): CommandResult {
  return { data: { name: name ?? null }, text: name ?? 'No workspace is in use in this shell.' }
}

function isFish(shell: string | undefined): boolean {
  return shell?.endsWith('/fish') === true
}

/** Names of workspaces have no character that a shell would read. */
function lineFor(name: string | undefined, shell: string | undefined): string {
  if (isFish(shell)) return name === undefined ? `set -e ${useVariable}` : `set -gx ${useVariable} ${name}`
  return name === undefined ? `unset ${useVariable}` : `export ${useVariable}=${name}`
}
