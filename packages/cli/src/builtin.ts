import type { CommandDefinition, CommandInput, CommandResult, HostApi } from '@holm/core'
import type { Streams } from './streams.ts'

/** A command without its code: all that help, completion, man pages and the reference need. */
export type CommandTable = Omit<CommandDefinition, 'run'> & {
  /** Heading of the root help it stands under; plugin commands have none. */
  readonly group?: CommandGroup
  readonly plugin?: string
}

export const commandGroups = [
  'Environments',
  'Workspaces',
  'Images and copies',
  'Blueprints and bases',
  'Machine',
  'holm',
] as const
export type CommandGroup = (typeof commandGroups)[number]

/** What a built-in command gets beyond `CommandInput`; a plugin's command has to do without. */
export interface BuiltinInput extends CommandInput {
  readonly streams: Streams
  readonly env: Readonly<Record<string, string | undefined>>
  /** Built-in commands and those of plugins. */
  readonly commands: () => Promise<readonly CommandTable[]>
  /** For a command without a host that may need one after all. */
  readonly openHost: () => Promise<HostApi>
  /** Ends progress output and hands Ctrl-C and its kin to the handler; the result gives them back. */
  takeSignals(handler: (signal: NodeJS.Signals) => void): () => void
}

export interface BuiltinCommand extends CommandDefinition {
  readonly group?: CommandGroup
  /** Runs without a host; touching `input.host` is then a bug. */
  readonly hostless?: true
  run(input: BuiltinInput): Promise<BuiltinResult | void>
}

export interface BuiltinResult extends CommandResult {
  /** The output of a user's own program: printed unchanged even in JSON. */
  readonly exact?: true
}
