import type { CommandTable } from '../packages/cli/src/builtin.ts'
import { builtins } from '../packages/cli/src/commands/index.ts'
import { tables as serve } from '../packages/serve/src/commands/index.ts'
import { tables as workspace } from '../packages/workspace/src/commands/index.ts'

/** Every command that comes with holm, those of its feature packages included. */
export const shippedCommands: readonly CommandTable[] = [
  ...builtins,
  ...[...workspace, ...serve].map((table) => ({ ...table, group: 'Workspaces' as const })),
]
