import type { BuiltinCommand } from '../builtin.ts'
import { createEnvironmentTable } from '../output/views.ts'

export const list: BuiltinCommand = {
  id: 'list',
  aliases: ['ls'],
  group: 'Environments',
  summary: 'List the environments of this machine.',
  flags: {
    all: {
      type: 'boolean',
      char: 'a',
      description: 'Ask every provider, also for environments that this holm has not recorded.',
    },
  },
  examples: [
    { command: 'holm list', description: 'List every environment with its state and ports.' },
    { command: 'holm list -q', description: 'Print the names only.' },
    { command: 'holm list --json', description: 'The same for a program.' },
  ],
  async run({ flags, host, signal }) {
    const environments = await host.list({ all: flags['all'] === true, signal })
    return { data: environments, table: createEnvironmentTable(environments, Date.now()) }
  },
}
