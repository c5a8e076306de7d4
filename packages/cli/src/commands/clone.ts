import { errorTable, type CloneResult } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { callOptions } from './shared.ts'

export const clone: BuiltinCommand = {
  id: 'clone',
  group: 'Images and copies',
  summary: 'Make new environments from the files of one.',
  description:
    'A clone has a name, ports, machine-id and SSH host keys of its own, and runs postStart. It shares the bind mounts of its ' +
    'origin, the project folder above all, unless --copy-files gives it a copy that is removed with it.',
  args: [
    {
      name: 'environment',
      description: 'Environment to clone; it may run.',
      required: true,
      completes: 'environment',
    },
    { name: 'name', description: 'Name of the clone; with -n the beginning of all names.', required: true },
  ],
  flags: {
    number: { type: 'integer', char: 'n', description: 'Make this many: NAME-1, NAME-2, …', default: 1 },
    'copy-files': {
      type: 'boolean',
      description: 'Copy writable bind mounts for each clone, instead of sharing them.',
    },
    'no-start': { type: 'boolean', description: 'Leave the clones stopped.' },
  },
  examples: [
    { command: 'holm clone web try', description: 'One more, with the same project folder.' },
    { command: 'holm clone web worker -n 4 --copy-files', description: 'Four, each with its own files.' },
  ],
  async run(input) {
    const { args, flags, host } = input
    const results = await host.clone(args['environment'], args['name'] ?? '', {
      ...callOptions(input),
      count: Number(flags['number'] ?? 1),
      copyFiles: flags['copy-files'] === true,
      ...(flags['no-start'] === true && { start: false }),
    })
    const failed = results.find(({ error }) => error)?.error
    return {
      data: results,
      table: {
        columns: ['name', 'status', 'ports'],
        rows: results.map((result) => [result.name, statusOf(result), portsOf(result)]),
      },
      ...(failed && { exitCode: errorTable[failed.code].exit }),
    }
  },
}

function statusOf({ environment, error }: CloneResult): string {
  return error ? `${error.code}: ${error.message}` : (environment?.status ?? '')
}

function portsOf({ environment }: CloneResult): string {
  return (environment?.ports ?? []).map(({ host, container }) => `${host}->${container}`).join(' ')
}
