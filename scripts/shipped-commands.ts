import type { CommandTable } from '../packages/cli/src/builtin.ts'
import { builtins } from '../packages/cli/src/commands/index.ts'
import { tables } from '../packages/workspace/src/commands/index.ts'

/** Every command that comes with holm, those of its feature packages included. */
export const shippedCommands: readonly CommandTable[] = [
  ...builtins,
  ...tables.map((table) => ({ ...table, group: 'Workspaces' as const })),
]
