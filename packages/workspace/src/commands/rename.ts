import type { RenamePlan } from '../api.ts'
import { nameArg, nameOf, yesFlag, type PluginCommand } from './command.ts'
import { useVariable } from './default.ts'

export const rename: PluginCommand = {
  id: 'workspace rename',
  aliases: ['ws rename', 'workspace mv', 'ws mv'],
  summary: 'Give a workspace another name: worktree, branch and environment.',
  description:
    'Files, commits, ports and what is installed inside are kept. What runs inside ends, and the environment is started again; what does ' +
    'not come along is told first. All of it or nothing: one that fails leaves the old name, one that was killed is gone on with or undone ' +
    'by the next rename, start or delete.',
  args: [nameArg, { name: 'new', description: 'Its new name.', required: true }],
  flags: { yes: yesFlag },
  examples: [
    { command: 'holm workspace rename fix parser', description: 'The task turned out to be another one.' },
    {
      command: 'holm ws rename fix parser --yes',
      description: 'Without a question, although something runs.',
    },
  ],
  async run(input, { env }, workspaces) {
    const name = nameOf(input)
    const to = input.args['new'] ?? ''
    const { signal, terminal } = input
    const plan = await workspaces.planRename(name, to, { signal })
    const question = questionOf(plan)
    if (question !== undefined && input.flags['yes'] !== true && !(await terminal.confirm(question)))
      return { data: { renamed: false, name }, text: 'Nothing renamed.' }
    const info = await workspaces.rename(name, to, { signal, mayLose: true })
    const lines = [
      `${name} is ${info.name} now: branch ${info.branch} at ${info.commit ?? '?'}`,
      `files  ${info.path}`,
      ...(env[useVariable] === name ? [`use    eval "$(holm workspace use ${info.name} --shell)"`] : []),
    ]
    return { data: { ...info, renamed: true, was: name }, text: lines.join('\n') }
  },
}

/** Undefined where nobody would notice. */
function questionOf({ name, to, stops, lost }: RenamePlan): string | undefined {
  if (!stops && lost.length === 0) return undefined
  const what = [
    ...(stops ? ['what runs inside ends, and it is started again'] : []),
    ...(lost.length > 0 ? [`lost is ${lost.join('; ')}`] : []),
  ]
  return `Rename ${name} to ${to}? (${what.join('; ')})`
}
