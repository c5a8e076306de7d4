import { expect, it } from 'vitest'
import type { HolmEvent } from '../events.ts'
import { createLogger, type LogLevel } from './log.ts'

it.each([
  ['debug', ['debug: d', 'info: i', 'warn: w']],
  ['info', ['info: i', 'warn: w']],
  ['warn', ['warn: w']],
  ['error', []],
] as [LogLevel, string[]][])('at %s passes on %j', (level, expected) => {
  const lines: string[] = []
  const emit = (event: HolmEvent): void => {
    if (event.type === 'log') lines.push(`${event.level}: ${event.message}`)
  }
  const log = createLogger({ level, emit, warn: (message) => lines.push(`warn: ${message}`) })
  log.debug('d')
  log.info('i')
  log.warn('w')
  expect(lines).toEqual(expected)
})
