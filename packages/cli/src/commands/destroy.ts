import { HolmError } from '@holm/core'
import type { BuiltinCommand, BuiltinInput } from '../builtin.ts'
import { callOptions, environmentArg, yesFlag } from './shared.ts'

export const destroy: BuiltinCommand = {
  id: 'destroy',
  aliases: ['rm'],
  group: 'Environments',
  summary: 'Remove an environment and everything of it.',
  description: 'Named volumes are kept unless --volumes asks for them. The project folder is never touched.',
  args: [environmentArg],
  flags: {
    yes: yesFlag,
    all: { type: 'boolean', char: 'a', description: 'Remove every environment of this machine.' },
    volumes: { type: 'boolean', description: 'Also remove named volumes that belong to it alone.' },
  },
  examples: [
    { command: 'holm destroy', description: 'Remove the environment of this folder, after a question.' },
    {
      command: 'holm destroy web -y --volumes',
      description: 'Remove one with its volumes, without a question.',
    },
    { command: 'holm destroy --all', description: 'List every environment, ask, and remove them all.' },
  ],
  async run(input) {
    const { args, flags } = input
    if (flags['all'] === true && args['name'] !== undefined) {
      throw new HolmError('HOLM_USAGE', 'a name and --all were both given', { hint: 'Give one of them.' })
    }
    return flags['all'] === true ? destroyAll(input) : destroyOne(input)
  },
}

type Result = Awaited<ReturnType<BuiltinCommand['run']>>

async function destroyOne(input: BuiltinInput): Promise<Result> {
  const { args, flags, host } = input
  const options = callOptions(input)
  // An absent name is only known to the host; the question has to show it.
  const name = args['name'] ?? (await host.status(undefined, options)).name
  if (!(await isConfirmed(input, `Remove ${name} and its files?`)))
    return { data: { removed: [] }, text: 'Nothing removed.' }
  const { existed } = await host.destroy(name, { ...options, volumes: flags['volumes'] === true })
  return {
    data: { removed: existed ? [name] : [] },
    text: existed ? `${name} is removed` : `${name} did not exist`,
  }
}

async function destroyAll(input: BuiltinInput): Promise<Result> {
  const { flags, host, signal } = input
  const all = await host.list({ all: true, signal })
  // A service goes with the environment that it belongs to.
  const goesWith = new Set(all.map(({ name }) => name))
  const names = all
    .filter(({ partOf }) => partOf === undefined || !goesWith.has(partOf.environment))
    .map(({ name }) => name)
  if (names.length === 0) return { data: { removed: [] }, text: 'No environments.' }
  const question = `Remove ${names.join(', ')} and all their files?`
  if (!(await isConfirmed(input, question))) return { data: { removed: [] }, text: 'Nothing removed.' }
  for (const name of names) await host.destroy(name, { signal, volumes: flags['volumes'] === true })
  return { data: { removed: names }, text: names.map((name) => `${name} is removed`).join('\n') }
}

async function isConfirmed({ flags, terminal }: BuiltinInput, question: string): Promise<boolean> {
  return flags['yes'] === true || terminal.confirm(question)
}
