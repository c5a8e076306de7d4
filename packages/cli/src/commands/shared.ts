import type { ArgDefinition, FlagDefinition } from '@holm/core'
import type { BuiltinInput } from '../builtin.ts'

/** The optional environment of every environment command. */
export const environmentArg = {
  name: 'name',
  description: 'Environment; absent: the one of the current folder or its nearest parent that has one.',
  completes: 'environment',
} as const satisfies ArgDefinition

export const yesFlag = {
  type: 'boolean',
  char: 'y',
  description: 'Go ahead without a question.',
} as const satisfies FlagDefinition

/** Options that every host call gets: the interrupt, and the folder that stands in for a missing name. */
export function callOptions({ signal, cwd }: BuiltinInput): { signal: AbortSignal; projectFolder: string } {
  return { signal, projectFolder: cwd }
}

/** A text flag, or undefined. */
export function readText({ flags }: BuiltinInput, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

/** The entry under a key only when there is a value, for exactOptionalPropertyTypes. */
export function optional<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]?: Value })
}
