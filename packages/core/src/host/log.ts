import type { HolmEvent } from '../events.ts'
import type { Logger } from '../provider.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export interface LoggerOptions {
  /** Least important level that is passed on (configuration key `log.level`). */
  readonly level: LogLevel
  readonly emit: (event: HolmEvent) => void
  /** How a warning is told. */
  readonly warn: (message: string) => void
  readonly from?: { readonly environment?: string; readonly plugin?: string }
}

/** Turns log lines into events; below the level they are dropped. */
export function createLogger({ level, emit, warn, from = {} }: LoggerOptions): Logger {
  const passes = (wanted: LogLevel): boolean => order.indexOf(wanted) >= order.indexOf(level)
  const write =
    (wanted: 'debug' | 'info') =>
    (message: string): void => {
      if (passes(wanted)) emit({ type: 'log', level: wanted, message, ...from })
    }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: (message) => {
      if (passes('warn')) warn(message)
    },
  }
}
