import type { BuiltinCommand } from '../builtin.ts'
import { environmentArg } from './shared.ts'
import { execFlags } from './exec-flags.ts'

export const exec: BuiltinCommand = {
  id: 'exec',
  group: 'Environments',
  summary: 'Run a program inside an environment.',
  description:
    "Streams pass byte for byte, signals are forwarded, and the exit code is the program's own. On a terminal the program " +
    'gets a pty. Words are passed as they are; where a shell is wanted, name it: holm exec -- sh -c "…".',
  args: [environmentArg],
  rest: { name: 'COMMAND', description: 'The program and its arguments.', required: true },
  flags: {
    ...execFlags,
    tty: { type: 'boolean', char: 't', description: 'Give the program a pty even when this is no terminal.' },
    'no-tty': { type: 'boolean', char: 'T', description: 'Give it no pty.' },
    interactive: {
      type: 'boolean',
      char: 'i',
      description: 'Read stdin from a terminal even without a pty.',
    },
  },
  examples: [
    { command: 'holm exec -- npm test', description: 'Run the tests in the environment of this folder.' },
    {
      command: 'holm exec web -- sh -c "ps aux | head"',
      description: 'Use a shell inside a named environment.',
    },
    { command: 'tar c src | holm exec -- tar x -C /tmp', description: 'Pipe bytes in.' },
  ],
  async run(input) {
    const { runInside } = await import('../exec/request.ts')
    return runInside(input, input.rest)
  },
}
