import { HolmError } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'

const keyArg = {
  name: 'key',
  description: 'Key of the configuration, such as provider.',
  required: true,
} as const

export const configList: BuiltinCommand = {
  id: 'config list',
  group: 'Machine',
  summary: 'List the configuration as it is in force.',
  flags: { sources: { type: 'boolean', char: 's', description: 'Show where each value comes from.' } },
  examples: [
    { command: 'holm config list --sources', description: 'Find the file or variable that set a value.' },
  ],
  async run({ flags, host }) {
    const values = await host.config.list()
    const withSources = flags['sources'] === true
    const rows = values.map(({ key, value, source }) => [
      key,
      formatValue(value),
      ...(withSources ? [source] : []),
    ])
    const columns = ['key', 'value', ...(withSources ? ['source'] : [])]
    return { data: values, table: { columns, rows, empty: 'Nothing is configured.' } }
  },
}

export const configGet: BuiltinCommand = {
  id: 'config get',
  group: 'Machine',
  summary: 'Print one value of the configuration.',
  args: [keyArg],
  examples: [{ command: 'holm config get provider', description: 'Which provider is preferred.' }],
  async run({ args, host }) {
    const value = await host.config.get(args['key'] ?? '')
    return { data: value, text: formatValue(value.value) }
  },
}

export const configSet: BuiltinCommand = {
  id: 'config set',
  group: 'Machine',
  summary: "Set a value in the user's or the project's configuration file.",
  args: [
    keyArg,
    { name: 'value', description: 'The value; JSON where it is no plain text.', required: true },
  ],
  flags: {
    scope: { type: 'string', description: 'Whose file.', options: ['user', 'project'], default: 'user' },
  },
  examples: [
    { command: 'holm config set provider docker', description: 'Prefer Docker, for this user.' },
    {
      command: 'holm config set provider sandbox --scope project',
      description: 'For everyone who works on this project.',
    },
  ],
  async run({ args, flags, host }) {
    const scope = flags['scope']
    if (scope !== 'user' && scope !== 'project')
      throw new HolmError('HOLM_USAGE', `unknown scope ${String(scope)}`)
    const { path } = await host.config.set(args['key'] ?? '', args['value'] ?? '', { scope })
    return { data: { path }, text: `set ${args['key']} in ${path}` }
  },
}

function formatValue(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
