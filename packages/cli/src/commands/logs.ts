import type { BuiltinCommand } from '../builtin.ts'
import { splitLogLines } from '../output/log-lines.ts'
import { callOptions, environmentArg, optional } from './shared.ts'

export const logs: BuiltinCommand = {
  id: 'logs',
  group: 'Environments',
  summary: 'Show what an environment wrote.',
  description: 'With --json every line is one JSON document: {"stream", "text"}.',
  args: [environmentArg],
  flags: {
    follow: { type: 'boolean', char: 'f', description: 'Go on until the environment stops or Ctrl-C.' },
    tail: { type: 'integer', description: 'Only the last lines, this many.' },
  },
  examples: [
    { command: 'holm logs -f', description: 'Follow the environment of this folder.' },
    { command: 'holm logs web --tail 100', description: 'The last hundred lines of a named one.' },
  ],
  run(input) {
    const { tail, follow } = input.flags
    const options = {
      ...callOptions(input),
      follow: follow === true,
      ...optional('tail', typeof tail === 'number' ? tail : undefined),
    }
    const chunks = input.host.logs(input.args['name'], options)
    return Promise.resolve({ data: splitLogLines(chunks) })
  },
}
