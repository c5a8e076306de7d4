import type { CommandSpec, HealthCheck } from '../../../spec.ts'
import { parseDuration } from '../parse-quantity.ts'
import { field, invalid, toBoolean, toMap, toNumber, toText, type Field } from './values.ts'

/** How often holm asks at least while it waits: a database that is ready is not waited for another half minute. */
const patienceMs = 1000

/**
 * Undefined for a check that is switched off, or that only changes the times of the image's own. It is asked more often than
 * written and given up as late: after the start period and so many intervals.
 */
export function toHealthCheck(given: Field): HealthCheck | undefined {
  const { path } = given
  const map = toMap(given)
  const disable = field(map, 'disable', path)
  const test = field(map, 'test', path)
  const command = test && toTest(test)
  if (command === undefined || (disable && toBoolean(disable))) return undefined
  const duration = (key: string, fallback: string): number => {
    const found = field(map, key, path)
    return parseDuration(found ? toText(found) : fallback)
  }
  const retries = field(map, 'retries', path)
  const interval = duration('interval', '30s')
  const intervalMs = Math.max(1, Math.min(interval, duration('start_interval', `${patienceMs}ms`)))
  return {
    kind: 'command',
    command,
    intervalMs,
    timeoutMs: duration('timeout', '30s'),
    retries: Math.ceil(((retries ? toNumber(retries) : 3) * interval) / intervalMs),
    startPeriodMs: duration('start_period', '0s'),
  }
}

function toTest(given: Field): CommandSpec | undefined {
  const { value } = given
  if (typeof value === 'string') return { shell: value }
  if (!Array.isArray(value) || value.length === 0) throw invalid(given, 'a test such as ["CMD", "true"]')
  const [kind, ...argv] = value.map(String)
  if (kind === 'NONE') return undefined
  if (kind === 'CMD' && argv.length > 0) return { argv }
  if (kind === 'CMD-SHELL' && argv.length === 1) return { shell: argv[0] ?? '' }
  throw invalid(given, 'a test that begins with CMD, CMD-SHELL or NONE')
}
