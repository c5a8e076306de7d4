import type {
  ArgDefinition,
  CommandDefinition,
  CommandInput,
  CommandResult,
  FlagDefinition,
  PluginApi,
} from '@holm/core'
import type { Workspaces } from '../api.ts'
import type { WorkspaceConfig } from '../options.ts'

/** A command of this plugin: what the manifest lists of it, and its code. */
export interface WorkspaceCommand extends Omit<CommandDefinition, 'run'> {
  run(input: CommandInput, workspaces: Workspaces): Promise<CommandResult>
}

/** The same for a command that needs the plugin's own folder and configuration. */
export interface PluginCommand extends Omit<CommandDefinition, 'run'> {
  run(input: CommandInput, api: PluginApi<WorkspaceConfig>, workspaces: Workspaces): Promise<CommandResult>
}

export const nameArg = {
  name: 'name',
  description: 'Name of the workspace.',
  required: true,
  completes: 'environment',
} as const satisfies ArgDefinition

/** The same where the workspace of this shell is meant without one: see default.ts. */
export const defaultNameArg = {
  name: 'name',
  description: 'Name of the workspace; absent: the one in use, see holm workspace use.',
  completes: 'environment',
} as const satisfies ArgDefinition

export const yesFlag = {
  type: 'boolean',
  char: 'y',
  description: 'Go ahead without a question.',
} as const satisfies FlagDefinition

export const forceFlag = {
  type: 'boolean',
  description: 'Also with repositories inside (submodules, clones), whose work nobody keeps.',
} as const satisfies FlagDefinition

export const keepVolumesFlag = {
  type: 'boolean',
  description: 'Keep the named volumes of services from images, for the next workspace of that name.',
} as const satisfies FlagDefinition

export function nameOf({ args }: CommandInput): string {
  return args['name'] ?? ''
}

export function textFlag({ flags }: CommandInput, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}
