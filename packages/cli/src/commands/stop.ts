import type { BuiltinCommand } from '../builtin.ts'
import { callOptions, environmentArg, optional } from './shared.ts'

export const stop: BuiltinCommand = {
  id: 'stop',
  group: 'Environments',
  summary: 'Stop an environment and keep its files.',
  args: [environmentArg],
  flags: {
    grace: { type: 'integer', description: 'Seconds between the request to end and the end by force.' },
  },
  examples: [
    { command: 'holm stop', description: 'Stop the environment of this folder.' },
    { command: 'holm stop web --grace 30', description: 'Give a database half a minute to end.' },
  ],
  async run(input) {
    const { grace } = input.flags
    const graceMs = typeof grace === 'number' ? grace * 1000 : undefined
    const options = { ...callOptions(input), ...optional('graceMs', graceMs) }
    const environment = await input.host.stop(input.args['name'], options)
    return { data: environment, text: `${environment.name} is ${environment.status}` }
  },
}
