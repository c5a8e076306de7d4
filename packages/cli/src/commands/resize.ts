import { HolmError, type Resources } from '@holm/core'
import type { BuiltinCommand, BuiltinInput } from '../builtin.ts'
import { renderEnvironment } from '../output/views.ts'
import { parseCpusFlag, parseSizeFlag } from './quantities.ts'
import { callOptions, environmentArg, optional, readText } from './shared.ts'

export const resize: BuiltinCommand = {
  id: 'resize',
  group: 'Environments',
  summary: 'Change the limits of an environment, also while it runs where the provider can.',
  description:
    'Limits that are not named stay. The blueprint is not changed: a recreated environment has its limits again.',
  args: [environmentArg],
  flags: {
    cpus: { type: 'string', description: 'Cores: 2, 0.5.' },
    memory: { type: 'string', description: 'Memory: 4gb, 512mb.' },
    disk: { type: 'string', description: 'Size of its disk: 20gb.' },
    pids: { type: 'integer', description: 'Number of processes.' },
  },
  examples: [{ command: 'holm resize web --memory 4gb --cpus 2', description: 'More for a heavy build.' }],
  async run(input) {
    const environment = await input.host.resize(
      input.args['name'],
      await resourcesOf(input),
      callOptions(input),
    )
    return { data: environment, text: renderEnvironment(environment, Date.now()) }
  },
}

async function resourcesOf(input: BuiltinInput): Promise<Resources> {
  const [cpus, memory, disk] = [readText(input, 'cpus'), readText(input, 'memory'), readText(input, 'disk')]
  const { pids } = input.flags
  if (typeof pids === 'number' && pids < 1)
    throw new HolmError('HOLM_USAGE', `--pids is ${pids}, which is no limit`, {
      hint: 'Give a number above zero.',
    })
  return {
    ...optional('cpus', cpus === undefined ? undefined : parseCpusFlag(cpus, 'cpus')),
    ...optional('memoryBytes', memory === undefined ? undefined : await parseSizeFlag(memory, 'memory')),
    ...optional('diskBytes', disk === undefined ? undefined : await parseSizeFlag(disk, 'disk')),
    ...optional('pids', typeof pids === 'number' ? pids : undefined),
  }
}
