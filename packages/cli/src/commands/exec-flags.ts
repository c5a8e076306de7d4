import type { FlagDefinition } from '@holm/core'

/** How a program inside is started. */
export const execFlags = {
  user: {
    type: 'string',
    char: 'u',
    description: 'Run as this user: a name or id, optionally with ":group".',
  },
  workdir: { type: 'string', char: 'w', description: 'Run in this folder of the environment.' },
  env: {
    type: 'string',
    char: 'e',
    multiple: true,
    description: 'Set NAME=value; NAME alone passes the value on. Repeatable.',
  },
} as const satisfies Record<string, FlagDefinition>
