import type { BuiltinCommand } from '../builtin.ts'
import { callOptions, environmentArg } from './shared.ts'

export const update: BuiltinCommand = {
  id: 'update',
  group: 'Environments',
  summary: 'Install again on top of a running environment.',
  description:
    'Packages, tools and scripts run again; when the blueprint changed, only what changed. Changes of anything else need `holm up --recreate`, ' +
    'and are named.',
  args: [environmentArg],
  examples: [{ command: 'holm update', description: "Apply what this folder's blueprint installs now." }],
  async run(input) {
    const result = await input.host.update(input.args['name'], callOptions(input))
    const { environment, applied, pending } = result
    const done =
      applied.length === 0 ? 'nothing was to be installed' : `installed again: ${applied.join(', ')}`
    const open = `not applied: ${pending.join(', ')}; holm up --recreate makes it anew`
    return {
      data: result,
      text: [`${environment.name}: ${done}`, ...(pending.length > 0 ? [open] : [])].join('\n'),
    }
  },
}
