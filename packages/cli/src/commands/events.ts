import type { HolmEvent } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { formatDuration } from '../output/units.ts'
import { optional } from './shared.ts'

export const events: BuiltinCommand = {
  id: 'events',
  group: 'Environments',
  summary: 'Show what holm did: steps and changes of state.',
  args: [{ name: 'name', description: 'Only those of this environment.', completes: 'environment' }],
  flags: { limit: { type: 'integer', description: 'At most this many, the newest.', default: 50 } },
  examples: [{ command: 'holm events web', description: 'The story of one environment.' }],
  run({ args, flags, host }) {
    const stored = host.events({ ...optional('environment', args['name']), limit: Number(flags['limit']) })
    const rows = stored.map(({ at, event }) => [
      at,
      event.environment ?? '-',
      event.type,
      describeEvent(event),
    ])
    const table = { columns: ['at', 'environment', 'event', 'what'], rows, empty: 'Nothing happened yet.' }
    return Promise.resolve({ data: stored, table })
  },
}

function describeEvent(event: HolmEvent): string {
  if (event.type === 'warning' || event.type === 'log' || event.type === 'access') return event.message
  if (event.type === 'state')
    return event.message === undefined ? event.status : `${event.status}: ${event.message}`
  return [event.step, describeStep(event)].filter((part) => part !== '').join(': ')
}

function describeStep(event: Exclude<HolmEvent, { type: 'warning' | 'state' | 'log' | 'access' }>): string {
  if (event.type === 'step-done') return event.skipped ?? formatDuration(event.elapsedMs)
  if (event.type === 'output') return event.text
  return 'message' in event ? event.message : ''
}
