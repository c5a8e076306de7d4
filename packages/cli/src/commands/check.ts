import type { BuiltinCommand } from '../builtin.ts'
import { environmentArg, optional } from './shared.ts'

export const check: BuiltinCommand = {
  id: 'check',
  group: 'Environments',
  summary: "Run the blueprint's check inside, to see that the environment works.",
  description:
    'Runs the command that the blueprint names as `check`, as the blueprint has it now, as the user and with the variables of the ' +
    "environment. What it prints passes through, and the exit code is its own: 0 when the environment works. A clone has its origin's check.",
  args: [environmentArg],
  examples: [
    { command: 'holm check', description: 'Check the environment of this folder.' },
    {
      command: 'holm up python-dev && holm check python-dev',
      description: 'Bring one up, and see that it works.',
    },
  ],
  async run(input) {
    const { args, host, signal, cwd } = input
    const { followProgram } = await import('../exec/request.ts')
    const where = args['name'] === undefined ? { projectFolder: cwd } : optional('environment', args['name'])
    return followProgram(input, await host.check({ ...where, signal }), false)
  },
}
