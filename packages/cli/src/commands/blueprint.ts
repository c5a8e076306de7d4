import type { ArgDefinition } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { renderYaml } from '../output/yaml.ts'

const referenceArg = {
  name: 'blueprint',
  description: "A built-in's name, a file or a folder; absent: the blueprint of the current folder.",
  completes: 'blueprint',
} as const satisfies ArgDefinition

export const blueprintList: BuiltinCommand = {
  id: 'blueprint list',
  group: 'Blueprints and bases',
  summary: 'List the built-in blueprints.',
  examples: [
    { command: 'holm blueprint list', description: 'See what holm up can bring up without a file.' },
  ],
  async run({ host }) {
    const entries = await host.blueprints.list()
    const rows = entries.map(({ name, base, description }) => [name, base, description])
    return {
      data: entries,
      table: { columns: ['name', 'base', 'description'], rows, empty: 'No blueprints.' },
    }
  },
}

export const blueprintShow: BuiltinCommand = {
  id: 'blueprint show',
  group: 'Blueprints and bases',
  summary: 'Show a blueprint with everything it extends, or what holm makes of it.',
  args: [referenceArg],
  flags: { spec: { type: 'boolean', description: 'Show the environment it becomes instead of its source.' } },
  examples: [
    { command: 'holm blueprint show python-dev', description: 'A built-in as a file to start from.' },
    {
      command: 'holm blueprint show --spec',
      description: "What this folder's blueprint or devcontainer.json becomes.",
    },
  ],
  async run({ args, flags, host, cwd }) {
    const shown = await host.blueprints.show(args['blueprint'], { cwd })
    return {
      data: shown,
      text: await renderYaml(flags['spec'] === true ? shown.spec : (shown.blueprint ?? shown.spec)),
    }
  },
}

export const blueprintValidate: BuiltinCommand = {
  id: 'blueprint validate',
  group: 'Blueprints and bases',
  summary: 'Check a blueprint without running anything.',
  args: [referenceArg],
  examples: [
    {
      command: 'holm blueprint validate ./holm.yaml',
      description: 'Find a mistake with its line and column.',
    },
  ],
  async run({ args, host, cwd }) {
    const checked = await host.blueprints.validate(args['blueprint'], { cwd })
    const warnings = checked.warnings.map((warning) => `warning: ${warning}`)
    return { data: checked, text: [`${checked.source} is valid`, ...warnings].join('\n') }
  },
}
