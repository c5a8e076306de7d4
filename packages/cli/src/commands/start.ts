import type { BuiltinCommand } from '../builtin.ts'
import { callOptions, environmentArg } from './shared.ts'

export const start: BuiltinCommand = {
  id: 'start',
  group: 'Environments',
  summary: 'Start a stopped environment, its files as they were.',
  args: [environmentArg],
  examples: [{ command: 'holm start web', description: 'Start an environment by name.' }],
  async run(input) {
    const environment = await input.host.start(input.args['name'], callOptions(input))
    return {
      data: environment,
      text: `${environment.name} is ${environment.status} on ${environment.provider}`,
    }
  },
}
