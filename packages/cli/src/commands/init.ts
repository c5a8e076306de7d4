import type { BuiltinCommand } from '../builtin.ts'
import { optional, readText } from './shared.ts'

export const init: BuiltinCommand = {
  id: 'init',
  group: 'Environments',
  summary: 'Write a blueprint for this folder.',
  description: "Looks at the project's files to choose a template, and writes holm.yaml.",
  flags: {
    template: {
      type: 'string',
      char: 't',
      description: 'Use this template instead of the detected one.',
      completes: 'blueprint',
    },
    force: {
      type: 'boolean',
      char: 'f',
      description: 'Replace a blueprint that is there; the old one is kept as a backup.',
    },
  },
  examples: [
    { command: 'holm init', description: 'Detect the language and write holm.yaml.' },
    { command: 'holm init -t python', description: 'Start from a template of your choice.' },
  ],
  async run(input) {
    const made = await input.host.blueprints.init({
      cwd: input.cwd,
      force: input.flags['force'] === true,
      ...optional('template', readText(input, 'template')),
    })
    return { data: made, text: `wrote ${made.path} from ${made.template}: ${made.reason}\nnext  holm up` }
  },
}
