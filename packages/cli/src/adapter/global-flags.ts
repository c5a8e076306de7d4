import type { FlagDefinition } from '@holm/core'

/** Every command has these; all are boolean, so that they may also stand before the command's name. */
export const globalFlags = {
  quiet: { type: 'boolean', char: 'q', description: 'Print the result only: no progress, no hints.' },
  verbose: { type: 'boolean', char: 'v', description: 'Show reasons, output of steps and causes of errors.' },
  json: { type: 'boolean', description: 'Print one JSON document on stdout, also for errors.' },
  'no-color': { type: 'boolean', description: 'Print without colours.' },
  help: { type: 'boolean', char: 'h', description: 'Show this help.' },
} as const satisfies Record<string, FlagDefinition>

export type GlobalFlag = keyof typeof globalFlags

const spellings = new Map<string, GlobalFlag>(
  Object.entries(globalFlags).flatMap(([name, flag]) => [
    [`--${name}`, name as GlobalFlag],
    ...('char' in flag ? [[`-${flag.char}`, name as GlobalFlag] as const] : []),
  ]),
)

export function readGlobalFlag(word: string): GlobalFlag | undefined {
  return spellings.get(word)
}
