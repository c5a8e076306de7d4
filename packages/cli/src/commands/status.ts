import type { BuiltinCommand } from '../builtin.ts'
import { renderEnvironment } from '../output/views.ts'
import { callOptions, environmentArg } from './shared.ts'

export const status: BuiltinCommand = {
  id: 'status',
  group: 'Environments',
  summary: 'Show one environment: state, ports, limits and what is looser than the defaults.',
  args: [environmentArg],
  examples: [
    { command: 'holm status', description: 'Show the environment of this folder.' },
    { command: 'holm status web --json', description: 'Show an environment by name, for a program.' },
  ],
  async run(input) {
    const environment = await input.host.status(input.args['name'], callOptions(input))
    return { data: environment, text: renderEnvironment(environment, Date.now()) }
  },
}
